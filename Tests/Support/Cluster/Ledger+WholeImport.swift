import Foundation
import Ledger
import Messages
import Recommendation

extension Ledger {
    /// The whole import, however long it takes: what the service does, without letting anything in between.
    @discardableResult
    package func finishImport(
        importID: String, batches: Int, prompts: PromptConfiguration, given: [PromptField] = PromptField.allCases,
        changePrompts: Bool = false, people: NewPeople = .hash, leavers: [String] = [], negatives: Int = 0,
        at time: Date,
        requestID: String? = nil
    ) throws -> ImportOutcome {
        func begin() throws -> ImportProgress {
            try beginImport(
                importID: importID, batches: batches, prompts: prompts, given: given, changePrompts: changePrompts,
                people: people, leavers: leavers, negatives: negatives, at: time, requestID: requestID)
        }
        var progress = try begin()
        while true {
            switch progress {
            case .done(let outcome): return outcome
            case .underWay: progress = try continueImport(importID: importID, at: time)
            case .waiting:
                for other in try importsUnderWay() { _ = try continueImport(importID: other, at: time) }
                progress = try begin()
            }
        }
    }
}
