import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

@Suite("Ledger: the recorded prompt configuration")
struct ImportConfigurationTests {
    private let fixture = LedgerFixture()
    private let data = SyntheticRatings(users: 12, seed: 41)

    private func importAgain(
        _ ledger: Ledger, _ prompts: PromptConfiguration, given: [PromptField], changePrompts: Bool = false
    ) throws -> ImportOutcome {
        try ledger.stage(
            importID: "more", sequence: 0, items: data.items, interactions: data.interactions, at: fixture.now)
        return try ledger.finishImport(
            importID: "more", batches: 1, prompts: prompts, given: given, changePrompts: changePrompts, at: fixture.now)
    }

    @Test("What is not given stays as recorded, and nothing is made anew")
    func missingFields() throws {
        let ledger = try fixture.trained(data)
        let before = try ledger.snapshot()
        let outcome = try importAgain(ledger, PromptConfiguration(), given: [])
        #expect(outcome == ImportOutcome(rowsAlreadyThere: data.interactions.count))
        #expect(try importAgain(ledger, fixture.prompts, given: [.history]).shardsChanged.isEmpty)
        #expect(try ledger.snapshot() == before)
        #expect(try ledger.promptConfiguration() == fixture.prompts)
    }

    @Test("Each field that differs is refused with both values, and nothing of the import is kept")
    func differing() throws {
        let ledger = try fixture.trained(data)
        let before = try ledger.snapshot()
        let other = PromptConfiguration(
            method: .tallrec, domain: .book, historyLength: 9, likeAbove: 2, trainFraction: 0.5,
            validationFraction: 0.25, testFraction: 0.75, seed: 3, titleBytes: 2048, template: .tallrec,
            chat: ChatMarkers(style: "ChatML", open: "<|im_start|>user\n", close: "<|im_end|>\n", controls: []))
        for field in PromptField.allCases {
            let error = #expect(throws: LedgerError.self) { try importAgain(ledger, other, given: [field]) }
            let (recorded, given) = (field.text(in: fixture.prompts), field.text(in: other))
            #expect(
                error?.description.contains("--\(field.rawValue) is \(recorded) in this cluster, not \(given);") == true
            )
            #expect(throws: LedgerError.unknownImport(id: "more")) {
                try ledger.finishImport(importID: "more", batches: 1, prompts: fixture.prompts, at: fixture.now)
            }
        }
        #expect(try ledger.snapshot() == before)
        #expect(try ledger.statistics().promptsChange == nil)
    }

    @Test("A change that was asked for is done, and audit log and status say what changed")
    func changed() throws {
        let ledger = try fixture.trained(data)
        let outcome = try importAgain(
            ledger, PromptConfiguration(historyLength: 5), given: [.history], changePrompts: true)
        #expect(outcome.promptsRebuilt + outcome.promptsRemoved > 0)
        let change = try #require(try ledger.statistics().promptsChange?.changes.first)
        #expect(change.field == .history && change.recorded == "4" && change.given == "5")
        let entry = try ledger.auditLog().filter { $0.kind == "change prompts" }
        #expect(entry.count == 1 && entry.first?.detail.contains("\"given\":\"5\"") == true)
    }
}
