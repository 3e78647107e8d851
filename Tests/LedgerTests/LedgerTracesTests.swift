import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

/// Invariant 6: nothing forgotten stays on disk.
@Suite("Ledger: traces on disk")
struct LedgerTracesTests {
    /// Data in which the victims' identifiers and titles occur nowhere else.
    private func marked(victims: [Int], seed: UInt64) -> (data: SyntheticRatings, texts: [String]) {
        var data = SyntheticRatings(users: 24, seed: seed)
        var texts: [String] = []
        for victim in victims {
            let name = "person-\(victim)-zyx"
            for index in data.interactions.indices where data.interactions[index].user == "u\(victim)" {
                data.interactions[index].user = name
            }
            let only = Item(id: "item-only-\(victim)-qpw", title: "Secret Film \(victim) vwx (1999)")
            data.items.append(only)
            for time in [3, 13, 23] {
                data.interactions.append(
                    Interaction(
                        user: name, item: only.id, timestamp: Int64(time), rating: 5,
                        ordinal: Int64(data.interactions.count)))
            }
            texts += [name, only.id, only.title]
        }
        return (data, texts)
    }

    @Test(
        "No file ever holds in clear who somebody is, nor a prompt; after forgetting, none of the titles either",
        arguments: PartitionMethod.allCases, TestRounds.few(1, full: 3))
    func users(partition: PartitionMethod, seed: Int) throws {
        let victims = [3, 8, 20]
        var (data, catalogue) = marked(victims: victims, seed: UInt64(seed))
        let fixture = LedgerFixture(partition: partition)
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        try fixture.prepare(ledger)
        // Half of the victims' prompts are rewritten once more, so that rows move between pages.
        data.items[0].title = "Another title"
        try fixture.load(data, into: ledger, id: "titles")
        try fixture.prepare(ledger)
        for victim in victims {
            let name = "person-\(victim)-zyx"
            try ledger.stage(
                importID: "unfinished-\(victim)", sequence: 0, items: data.items,
                interactions: data.interactions.filter { $0.user == name }, at: fixture.now)
        }
        let prompts = try Split.allCases.flatMap { try ledger.prompts(split: $0) }
        let theirs = prompts.filter { $0.prompt.user.hasPrefix("person") }
        let people = theirs.flatMap { [$0.prompt.id, $0.digest] } + victims.map { "person-\($0)-zyx" }
        let adapters = try ledger.adapters().map(\.name)
        #expect(try fixture.traces(of: people) == [] && theirs.count > 10)
        #expect(try !fixture.traces(of: catalogue).isEmpty)

        for victim in victims {
            let request = LedgerFixture.forget(users: ["person-\(victim)-zyx"])
            let outcome = try ledger.forget(requestID: "f\(victim)", request, at: fixture.now)
            #expect(try ledger.snapshot().purgePending)
            try ledger.purge()
            for name in outcome.droppedAdapters {
                #expect(
                    !FileManager.default.fileExists(atPath: "\(fixture.directory.path)/adapters/\(name).sealed"))
            }
        }
        #expect(try fixture.traces(of: people + catalogue) == [])
        #expect(try ledger.adapters().allSatisfy { adapters.contains($0.name) })

        // Nor do they come back with the same files.
        let again = try fixture.load(data, into: ledger, id: "again")
        #expect(again.rowsRefused == data.interactions.count { $0.user.hasPrefix("person") } && again.rowsNew == 0)
        try fixture.prepare(ledger)
        #expect(try fixture.traces(of: people) == [] && ledger.title(item: "item-only-3-qpw") == nil)
        try ledger.close()
        #expect(try fixture.traces(of: people) == [])
    }

    @Test("After forgetting one interaction, no file holds its item, its title or a prompt that showed it")
    func interaction() throws {
        let (data, _) = marked(victims: [5], seed: 9)
        let fixture = LedgerFixture(partition: .semantic)
        let ledger = try fixture.trained(data)
        let only = "item-only-5-qpw"
        let prompts = try Split.allCases.flatMap { try ledger.prompts(split: $0) }
        let showing = prompts.filter { stored in
            ([stored.prompt.target] + stored.prompt.history).contains { $0.item == only }
        }
        let texts = [only, "Secret Film 5"] + showing.map(\.digest)
        #expect(try showing.count > 3 && !fixture.traces(of: texts).isEmpty)
        let request = ClientRequest.ForgetRequest(
            users: [],
            interactions: [ClientRequest.ForgetRequest.Target(user: "person-5-zyx", item: only, timestamp: nil)])
        let outcome = try ledger.forget(requestID: "f", request, at: fixture.now)
        #expect(outcome.counts.interactions == 3)
        try ledger.purge()
        #expect(try fixture.traces(of: texts) == [])
        #expect(try ledger.hasUser("person-5-zyx"))
    }

    @Test(
        "A copy of everything from before a forget, with all keys that still exist, opens everybody's record but theirs",
        arguments: PartitionMethod.allCases)
    func copyFromBefore(partition: PartitionMethod) throws {
        let (data, _) = marked(victims: [3], seed: 4)
        let fixture = LedgerFixture(partition: partition)
        let ledger = try fixture.trained(data)
        try ledger.stage(
            importID: "unfinished", sequence: 0, items: data.items, interactions: data.interactions, at: fixture.now)
        let copy = try fixture.copyOfFiles()
        let partial = try #require(data.interactions.first { $0.user == "u1" })
        _ = try ledger.forget(
            requestID: "f",
            ClientRequest.ForgetRequest(
                users: ["person-3-zyx"],
                interactions: [.init(user: "u1", item: partial.item, timestamp: partial.timestamp)]), at: fixture.now)
        try ledger.close()
        try FileManager.default.removeItem(at: copy.appendingPathComponent("keys"))
        try FileManager.default.copyItem(
            at: fixture.directory.appendingPathComponent("keys"), to: copy.appendingPathComponent("keys"))
        let restored = try Ledger(
            directory: copy, configuration: fixture.configuration, accepting: .auditLog, at: fixture.now)
        // Of whom one interaction was forgotten, the old record is noise, too.
        #expect(try !restored.hasUser("person-3-zyx") && !restored.hasUser("u1"))
        let others = Set(data.interactions.map(\.user)).subtracting(["person-3-zyx", "u1"])
        for user in others.sorted() {
            #expect(try restored.history(user: user).count == data.interactions.count { $0.user == user })
        }
        #expect(try restored.auditLog().count { $0.kind == "person damaged" } == 2)
        // The rows of the import that was dropped are noise, too.
        #expect(throws: LedgerError.unknownImport(id: "unfinished")) {
            try restored.finishImport(
                importID: "unfinished", batches: 1, prompts: fixture.prompts, at: fixture.now)
        }
    }

    @Test("A crash between the commit and the clean-up is healed when the ledger is opened")
    func crashBeforePurge() throws {
        let (data, texts) = marked(victims: [3], seed: 1)
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(data)
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["person-3-zyx"]), at: fixture.now)
        #expect(try ledger.snapshot().purgePending)
        let copy = try fixture.copyOfFiles()
        let crashed = LedgerFixture()
        try FileManager.default.moveItem(at: copy, to: crashed.directory)
        #expect(try !crashed.traces(of: texts).isEmpty)
        let healed = try crashed.open()
        #expect(try crashed.traces(of: texts) == [])
        #expect(try !healed.snapshot().purgePending && !healed.hasUser("person-3-zyx"))
        #expect(try healed.snapshot().shards == ledger.snapshot().shards)
        #expect(try healed.snapshot().pendingForgets.count == 1)
    }

    @Test("An import in progress that holds forgotten data has to be sent again, and then refuses it")
    func importInProgress() throws {
        let (data, texts) = marked(victims: [3], seed: 2)
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        try ledger.stage(
            importID: "a", sequence: 0, items: data.items, interactions: data.interactions, at: fixture.now)
        let outcome = try ledger.forget(
            requestID: "f", LedgerFixture.forget(users: ["person-3-zyx"]), at: fixture.now)
        #expect(outcome.counts.users == 1 && outcome.counts.interactions == 0)
        #expect(try fixture.traces(of: texts) == [])
        #expect(throws: LedgerError.unknownImport(id: "a")) {
            try ledger.finishImport(importID: "a", batches: 1, prompts: fixture.prompts, at: fixture.now)
        }
        #expect(try fixture.load(data, into: ledger, id: "b").rowsRefused > 0)
        #expect(try !ledger.hasUser("person-3-zyx") && ledger.hasUser("u1"))
    }
}
