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
        var progress = try beginImport(
            importID: importID, batches: batches, prompts: prompts, given: given, changePrompts: changePrompts,
            people: people, leavers: leavers, negatives: negatives, at: time, requestID: requestID)
        while true {
            if case .done(let outcome) = progress { return outcome }
            progress = try continueImport(importID: importID, at: time)
        }
    }
}
