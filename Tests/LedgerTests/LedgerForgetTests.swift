import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

@Suite("Ledger: forget")
struct LedgerForgetTests {
    typealias Target = ClientRequest.ForgetRequest.Target

    @Test(
        "Forgetting a user takes the rows, the prompts and the adapters that saw them, and waits for those shards only")
    func user() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 20, seed: 1)
        let ledger = try fixture.trained(data)
        let before = try ledger.snapshot()
        let victim = try #require(ledger.prompts(split: .train).first { $0.shard == 1 }).prompt.user
        let deleted = try Split.allCases.map { split in
            try ledger.prompts(split: split).count { $0.prompt.user == victim }
        }
        let adapter = try #require(before.shards[1].adapter)
        let outcome = try ledger.forget(
            requestID: "r", LedgerFixture.forget(users: [victim]), at: fixture.now)
        #expect(outcome.counts.users == 1)
        #expect(outcome.counts.interactions == data.interactions.count { $0.user == victim })
        #expect(
            outcome.counts.promptsDeleted == SplitCounts(train: deleted[0], validation: deleted[1], test: deleted[2]))
        #expect(outcome.counts.promptsRebuilt.total == 0)
        #expect(outcome.shards == [1] && outcome.waitingFor == [1] && outcome.droppedAdapters == [adapter.name])
        let after = try ledger.snapshot()
        #expect(after.shards[1].adapter == nil && after.shards[1].quarantinedSince == fixture.now)
        #expect(after.shards[0] == before.shards[0].with(missing: 0) && after.shards[2].adapter != nil)
        #expect(!after.isTuned)
        #expect(after.pendingForgets.map(\.waitingFor) == [[1]])
        #expect(try ledger.adapters().map(\.shard) == [0, 2] && ledger.tuning() == nil)
        #expect(throws: LedgerError.unknownAdapter(name: adapter.name)) { try ledger.adapterBytes(name: adapter.name) }
        #expect(throws: LedgerError.unknownUser(victim)) { try ledger.history(user: victim) }
        #expect(try !ledger.hasUser(victim))
    }

    @Test("Forgetting an interaction deletes its prompt, rebuilds those that showed it and leaves the others")
    func interaction() throws {
        let fixture = LedgerFixture(partition: .hash)
        let data = SyntheticRatings(users: 20, seed: 2)
        let ledger = try fixture.trained(data)
        let before = try Split.allCases.flatMap { try ledger.prompts(split: $0) }
        let target = try #require(before.first { $0.prompt.split == .train }).prompt.history[1]
        let outcome = try ledger.forget(requestID: "r", LedgerFixture.forget(target), at: fixture.now)
        let after = try Split.allCases.flatMap { try ledger.prompts(split: $0) }
        #expect(outcome.counts.interactions == 1 && outcome.counts.promptsRebuilt.total > 0)
        #expect(after.allSatisfy { $0.prompt.target != target && !$0.prompt.history.contains(target) })
        #expect(after.contains { $0.prompt.user == target.user })
        let others = { (prompts: [StoredPrompt]) in prompts.filter { $0.prompt.user != target.user } }
        #expect(others(before) == others(after))
        let expected = data.without(interactions: [target])
        let other = LedgerFixture(partition: .hash)
        let fresh = try other.open()
        try other.load(expected, into: fresh)
        #expect(try Set(after) == Set(Split.allCases.flatMap { try fresh.prompts(split: $0) }))
    }

    @Test("The dry run says what forgetting then does, and writes nothing")
    func plan() throws {
        let fixture = LedgerFixture(partition: .semantic)
        let data = SyntheticRatings(users: 20, seed: 3)
        let ledger = try fixture.trained(data)
        let before = try ledger.snapshot()
        let audit = try ledger.auditLog()
        let request = ClientRequest.ForgetRequest(
            users: ["u3"],
            interactions: [Target(user: "u4", item: data.interactions.first { $0.user == "u4" }!.item, timestamp: nil)])
        let plan = try ledger.plan(request)
        #expect(try ledger.snapshot() == before && ledger.auditLog() == audit && ledger.hasUser("u3"))
        let outcome = try ledger.forget(requestID: "r", request, at: fixture.now)
        #expect(plan.counts == outcome.counts && plan.shards.map(\.index) == outcome.shards)
        #expect(plan.shards.filter(\.retrains).map(\.index) == outcome.waitingFor)
        let after = try ledger.snapshot()
        for shard in plan.shards {
            #expect(shard.promptsRetained == after.shards[shard.index].prompts)
            let tokens = 1000.0 / Double(before.shards[shard.index].prompts) * Double(shard.promptsRetained)
            #expect(shard.tokens == Int(tokens.rounded()))
            #expect(abs((shard.seconds ?? 0) - tokens / 500) < 1e-9)
        }
        #expect(plan.tokens == plan.shards.compactMap(\.tokens).reduce(0, +))
    }

    @Test("A request with anything unknown in it is refused whole, and all that is unknown is named")
    func unknown() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 6, seed: 4)
        let ledger = try fixture.trained(data)
        let before = try ledger.snapshot()
        let known = data.interactions[0]
        let request = ClientRequest.ForgetRequest(
            users: ["nobody", "u1", "noone"],
            interactions: [
                Target(user: known.user, item: known.item, timestamp: known.timestamp + 1_000),
                Target(user: "ghost", item: "m1", timestamp: nil),
            ])
        let error = LedgerError.unknownData(
            users: ["nobody", "noone"],
            interactions: [request.interactions[1], request.interactions[0]])
        #expect(throws: error) { try ledger.plan(request) }
        #expect(throws: error) { try ledger.forget(requestID: "r", request, at: fixture.now) }
        #expect(try ledger.snapshot() == before && ledger.hasUser("u1") && ledger.forgetRequests().isEmpty)
        #expect(throws: LedgerError.self) {
            try ledger.forget(requestID: "r", LedgerFixture.forget(users: []), at: fixture.now)
        }
        #expect(throws: LedgerError.self) {
            try ledger.plan(ClientRequest.ForgetRequest(users: ["u1"], interactions: [], method: "magic"))
        }
    }

    @Test("Of very many unknown names no more are looked up than the refusal can list")
    func manyUnknown() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 6, seed: 4))
        let names = (10_000..<30_000).map { "nobody-\($0)" }
        let targets = names.map { Target(user: $0, item: "no-item", timestamp: nil) }
        for (request, bytes) in [
            (LedgerFixture.forget(users: names), 12),
            (ClientRequest.ForgetRequest(users: [], interactions: targets), 19),
        ] {
            let most = WireLimits.listedBytes / bytes + 1
            let isUsers = request.interactions.isEmpty
            let error = LedgerError.unknownData(
                users: isUsers ? Array(names.prefix(most)) : [],
                interactions: isUsers ? [] : Array(targets.prefix(most)), isCut: true)
            #expect(throws: error) { try ledger.plan(request) }
            #expect(throws: error) { try ledger.forget(requestID: "r", request, at: fixture.now) }
            let told = ClientError(error).message
            #expect(told.hasSuffix("; what follows was not looked up; nothing was forgotten"))
            #expect(told.count <= WireLimits.errorText)
        }
    }

    @Test("Forgetting the same again is recognised and changes nothing")
    func twice() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 8, seed: 5)
        let ledger = try fixture.trained(data)
        let key = try #require(data.interactions.first { $0.user == "u2" }).key
        _ = try ledger.forget(requestID: "a", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        _ = try ledger.forget(requestID: "b", LedgerFixture.forget(key), at: fixture.now)
        try fixture.prepare(ledger)
        let before = try ledger.snapshot()
        let again = ClientRequest.ForgetRequest(
            users: ["u1"],
            interactions: [
                Target(user: "u1", item: "m5", timestamp: nil), Target(user: "u2", item: key.item, timestamp: nil),
                Target(user: "u2", item: key.item, timestamp: key.timestamp),
            ])
        let outcome = try ledger.forget(requestID: "c", again, at: fixture.now)
        #expect(outcome.wasAlreadyForgotten && outcome.alreadyForgotten == 3)
        #expect(outcome.shards.isEmpty && outcome.waitingFor.isEmpty)
        #expect(try ledger.snapshot().shards == before.shards && ledger.snapshot().isTuned)
        #expect(try ledger.finishForget(request: "c", at: fixture.now).statement.shards.isEmpty)
    }

    @Test("Repeating a request id gives the first outcome; using it for something else is a conflict")
    func repeated() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 6))
        let first = try ledger.forget(requestID: "a", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        let later = fixture.now.addingTimeInterval(60)
        #expect(try ledger.forget(requestID: "a", LedgerFixture.forget(users: ["u1"]), at: later) == first)
        #expect(throws: LedgerError.requestConflict(id: "a")) {
            try ledger.forget(requestID: "a", LedgerFixture.forget(users: ["u2"]), at: later)
        }
        #expect(try ledger.hasUser("u2") && ledger.forgetRequests().count == 1)
    }

    @Test("Importing forgotten data again is refused row by row")
    func reimport() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 8, seed: 7)
        let ledger = try fixture.trained(data)
        let key = try #require(data.interactions.first { $0.user == "u2" }).key
        let request = ClientRequest.ForgetRequest(
            users: ["u1"], interactions: [Target(user: key.user, item: key.item, timestamp: key.timestamp)])
        _ = try ledger.forget(requestID: "a", request, at: fixture.now)
        let before = try ledger.snapshot()
        let outcome = try fixture.load(data, into: ledger, id: "again")
        #expect(outcome.rowsRefused == data.interactions.count { $0.user == "u1" } + 1)
        #expect(outcome.rowsNew == 0 && outcome.shardsChanged.isEmpty)
        #expect(try ledger.snapshot() == before && !ledger.hasUser("u1"))
    }

    @Test("A shard whose users all forgot is empty, has no adapter and keeps nobody waiting")
    func emptyShard() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 8))
        let users = try Set(ledger.prompts(split: .train).filter { $0.shard == 2 }.map(\.prompt.user)).sorted()
        #expect(!users.isEmpty)
        let first = try ledger.forget(requestID: "a", LedgerFixture.forget(users: [users[0]]), at: fixture.now)
        #expect(first.waitingFor == (users.count > 1 ? [2] : []))
        for (number, user) in users.dropFirst().enumerated() {
            _ = try ledger.forget(requestID: "b\(number)", LedgerFixture.forget(users: [user]), at: fixture.now)
        }
        let shard = try ledger.snapshot().shards[2]
        #expect(shard.prompts == 0 && shard.adapter == nil && shard.quarantinedSince == nil && shard.isCurrent)
        #expect(try ledger.snapshot().pendingForgets.allSatisfy { $0.waitingFor.isEmpty })
        let certificate = try ledger.finishForget(request: "a", at: fixture.now)
        #expect(certificate.statement.shards.map(\.newAdapter) == [nil])
        #expect(throws: LedgerError.self) { try fixture.publish(ledger, shard: 2) }
    }

    @Test("Everything can be forgotten, and the cluster then starts afresh", arguments: PartitionMethod.allCases)
    func everything(partition: PartitionMethod) throws {
        let fixture = LedgerFixture(partition: partition)
        let data = SyntheticRatings(users: 8, seed: 9)
        let ledger = try fixture.trained(data)
        let users = Set(data.interactions.map(\.user)).sorted()
        let outcome = try ledger.forget(requestID: "all", LedgerFixture.forget(users: users), at: fixture.now)
        #expect(outcome.waitingFor.isEmpty && outcome.counts.users == users.count)
        let after = try ledger.snapshot()
        #expect(!after.hasData && after.trainingPrompts == 0 && after.missingEmbeddings == 0)
        #expect(after.shards.allSatisfy { $0.isCurrent && $0.prompts == 0 })
        #expect(try ledger.finishForget(request: "all", at: fixture.now).verify(publicKey: ledger.publicKey))
        var others = SyntheticRatings(users: 8, seed: 10)
        for index in others.interactions.indices { others.interactions[index].user += "x" }
        try fixture.load(others, into: ledger, id: "others")
        try fixture.prepare(ledger)
        #expect(try ledger.snapshot().shards.allSatisfy(\.isCurrent) && ledger.snapshot().isPartitioned)
    }

    @Test("Several requests for one shard are finished by one retraining")
    func coalesce() throws {
        let fixture = LedgerFixture(partition: .userHash, shards: 1)
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 11))
        let old = try #require(ledger.snapshot().shards[0].adapter)
        for user in ["u1", "u2"] {
            _ = try ledger.forget(requestID: user, LedgerFixture.forget(users: [user]), at: fixture.now)
        }
        #expect(try ledger.snapshot().pendingForgets.map(\.waitingFor) == [[0], [0]])
        #expect(throws: LedgerError.requestUnfinished(id: "u1", waitingFor: [0])) {
            try ledger.finishForget(request: "u1", at: fixture.now)
        }
        let new = try fixture.publish(ledger, shard: 0)
        for user in ["u1", "u2"] {
            let shard = try #require(try ledger.finishForget(request: user, at: fixture.now).statement.shards.first)
            #expect(shard.oldAdapter == old.name && shard.oldManifest == old.manifest)
            #expect(shard.newAdapter == new)
        }
        #expect(try ledger.snapshot().pendingForgets.isEmpty)
    }

    @Test("An adapter that saw an interaction in a prompt that an import replaced since loses its weight too")
    func lineageAcrossImports() throws {
        let fixture = LedgerFixture(partition: .userHash, shards: 1, prompts: PromptConfiguration(historyLength: 2))
        let ledger = try fixture.open()
        func row(_ item: Int, _ time: Int64) -> Interaction {
            Interaction(user: "a", item: "m\(item)", timestamp: time, rating: 4, ordinal: time)
        }
        let items = (0..<20).map { Item(id: "m\($0)", title: "T\($0)") }
        var data = SyntheticRatings(users: 1, seed: 0)
        data.items = items
        data.interactions = [10, 20, 30, 40, 50].map { row(Int($0), $0) }
        data.items += [Item(id: "m30", title: "T30"), Item(id: "m40", title: "T40"), Item(id: "m50", title: "T50")]
        data.items += [Item(id: "m20", title: "T20")]
        try fixture.load(data, into: ledger)
        try fixture.prepare(ledger)
        #expect(try ledger.prompts(split: .train).map(\.prompt.history) == [[row(10, 10).key, row(20, 20).key]])
        // Two rows in between push the first one out of the only training prompt's history.
        data.interactions += [row(11, 22), row(12, 24)]
        try fixture.load(data, into: ledger, id: "more")
        let current = try ledger.prompts(split: .train).filter { $0.prompt.target == row(30, 30).key }
        #expect(current.map(\.prompt.history) == [[row(11, 22).key, row(12, 24).key]])
        #expect(try ledger.adapters().count == 1)
        let outcome = try ledger.forget(requestID: "r", LedgerFixture.forget(row(10, 10).key), at: fixture.now)
        #expect(outcome.droppedAdapters.count == 1 && outcome.waitingFor == [0])
        #expect(try ledger.adapters().isEmpty)
    }

    @Test("Forgetting a row of the validation split alone takes its reference rows and the tuning, not the adapters")
    func validationOnly() throws {
        let fixture = LedgerFixture(prompts: PromptConfiguration(historyLength: 4, trainFraction: 0.5))
        let ledger = try fixture.trained(SyntheticRatings(users: 30, largest: 6, seed: 12))
        // Six rows each and four of history: one validation and one test prompt a user, no training prompt.
        let other = LedgerFixture(prompts: fixture.prompts)
        #expect(try ledger.snapshot().trainingPrompts == 0)
        let mixed = try other.trained(SyntheticRatings(users: 30, largest: 12, seed: 12))
        let trainers = try Set(mixed.prompts(split: .train).map(\.prompt.user))
        let victim = try #require(
            mixed.prompts(split: .validation).map(\.prompt.user).first { !trainers.contains($0) })
        let before = try mixed.snapshot()
        let outcome = try mixed.forget(requestID: "r", LedgerFixture.forget(users: [victim]), at: other.now)
        #expect(outcome.shards.isEmpty && outcome.counts.promptsDeleted.validation == 1)
        let after = try mixed.snapshot()
        #expect(after.shards == before.shards && !after.isTuned && after.validationDigest != before.validationDigest)
        #expect(try mixed.attentionTable().ids.count == before.validationPrompts - 1)
        #expect(try mixed.attentionTable().rows.count == before.shards.count && mixed.tuning() == nil)
    }

    @Test("A result of training that was on its way when its data was forgotten is refused")
    func staleResult() throws {
        let fixture = LedgerFixture(shards: 1)
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 13))
        let old = try ledger.manifest(shard: 0).digest
        let bytes = LedgerFixture.adapter(0, old)
        let report = try fixture.report(of: bytes, shard: 0, ledger)
        _ = try ledger.forget(requestID: "r", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        #expect(throws: LedgerError.staleAdapter(shard: 0, trained: old, current: try ledger.manifest(shard: 0).digest))
        {
            try ledger.publish(
                shard: 0, bytes: bytes, report: report, at: fixture.now, contentName: LedgerFixture.contentName)
        }
        #expect(try ledger.adapters().isEmpty)
    }

    @Test("Embeddings and margins that arrive for forgotten prompts are ignored")
    func lateResults() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        try fixture.load(SyntheticRatings(users: 8, seed: 14), into: ledger)
        let wanted = try ledger.samplesWithoutEmbedding(limit: 100)
        let victim = try #require(ledger.prompts(split: .validation).first)
        _ = try ledger.forget(requestID: "r", LedgerFixture.forget(users: [victim.prompt.user]), at: fixture.now)
        try ledger.store(
            embeddings: wanted.flatMap { LedgerFixture.embedding($0.digest) }, of: wanted.map(\.digest),
            at: fixture.now)
        let table = try ledger.attentionTable()
        #expect(table.ids.count == wanted.count - 1 && !table.digests.contains(victim.digest))
    }
}

extension LedgerSnapshot.Shard {
    fileprivate func with(missing: Int) -> LedgerSnapshot.Shard {
        var copy = self
        copy.adapter?.missingMargins = missing
        return copy
    }
}
