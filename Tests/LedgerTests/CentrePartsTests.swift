import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing
import Unlearning

@testable import Ledger

/// A centre that rests on few people is not there longer than they are.
@Suite("Ledger: whose embeddings a partition's centres are made of")
struct CentrePartsTests {
    private struct Killed: Error {}

    /// Training prompts of some people lie far from all others', so that one centre is theirs alone.
    private struct Dealt {
        let fixture: LedgerFixture
        let ledger: Ledger
        let data: SyntheticRatings
        let far: [String]
        let centre: Int

        init(_ partition: PartitionMethod, far count: Int) throws {
            let fixture = LedgerFixture(partition: partition)
            let data = SyntheticRatings(users: 14, seed: 91)
            let ledger = try fixture.open()
            try fixture.load(data.without(users: ["u12", "u13"]), into: ledger)
            let far = Array(Set(try ledger.prompts(split: .train).map(\.prompt.user)).sorted().prefix(count))
            try Self.embed(ledger, fixture, far: far)
            try ledger.partition(at: fixture.now)
            let centres = try #require(try ledger.read { try ledger.centres($0) })
            let found = (0..<centres.count).filter { (centres[$0].last ?? 0) > 5 }
            #expect(found.count == 1)
            (self.fixture, self.ledger, self.data, self.far) = (fixture, ledger, data, far)
            centre = try #require(found.first)
        }

        private static func embed(_ ledger: Ledger, _ fixture: LedgerFixture, far: [String]) throws {
            let prompts = try Split.allCases.flatMap { try ledger.prompts(split: $0) }
            let users = Dictionary(prompts.map { ($0.digest, $0.prompt.user) }, uniquingKeysWith: { one, _ in one })
            while true {
                let wanted = try ledger.samplesWithoutEmbedding(limit: 50)
                if wanted.isEmpty { return }
                let values = wanted.flatMap { prompt -> [Float] in
                    let noise = LedgerFixture.embedding(prompt.digest)
                    let isFar = users[prompt.digest].map(far.contains) ?? false
                    let cloud: [Float] = isFar ? [0, 0, 0, 9] : noise[0] > 0 ? [3, 0, 0, 0] : [0, 3, 0, 0]
                    return zip(cloud, noise).map { $0 + $1 / 100 }
                }
                try ledger.store(embeddings: values, of: wanted.map(\.digest), at: fixture.now)
            }
        }

        func place(of ledger: Ledger? = nil) throws -> KeyReference {
            let ledger = ledger ?? self.ledger
            return try #require(try ledger.read { try ledger.recordOfCentres($0) })
        }

        func isGivenUp(_ ledger: Ledger? = nil) throws -> Bool {
            let ledger = ledger ?? self.ledger
            return try #require(try ledger.read { try ledger.centres($0) }).isGivenUp(centre)
        }

        func forget(_ request: ClientRequest.ForgetRequest, id: String = "f") throws {
            _ = try ledger.forget(requestID: id, request, at: fixture.now)
        }

        func holds(_ place: KeyReference) throws -> Bool {
            try fixture.holds(key: place.id, slot: Int(place.slot))
        }
    }

    @Test(
        "A centre goes when fewer than two are left of whom nothing was forgotten, and its key with it; the others stay",
        arguments: [PartitionMethod.semantic, .user], 1...3)
    func few(partition: PartitionMethod, count: Int) throws {
        let dealt = try Dealt(partition, far: count)
        let ledger = dealt.ledger
        let (before, place) = (try #require(try ledger.read { try ledger.centres($0) }), try dealt.place())
        try dealt.forget(LedgerFixture.forget(users: [dealt.far[0]]), id: "first")
        if count == 3 {
            #expect(try !dealt.isGivenUp() && dealt.place() == place && dealt.holds(place))
            try dealt.forget(LedgerFixture.forget(users: [dealt.far[1]]), id: "second")
        }
        #expect(try dealt.isGivenUp() && dealt.place() != place && !dealt.holds(place))
        #expect(try dealt.holds(dealt.place()))
        // In its place is what the others say.
        let others = (0..<before.count).filter { $0 != dealt.centre }
        let mean = (0..<before.dimension).map { index in
            Float(others.reduce(0.0) { $0 + Double(Array(before[$1])[index]) } / Double(others.count))
        }
        let after = try #require(try ledger.read { try ledger.centres($0) })
        let dealtTo = try #require(PartitionCentres(after.dealtTo, dimension: before.dimension))
        for other in others { #expect(dealtTo[other] == before[other]) }
        #expect(Array(dealtTo[dealt.centre]) == mean)
        // Whoever comes is dealt out all the same, also after a start, and nobody moves.
        let places = try ledger.prompts(split: .train).map { [$0.id, $0.shard.map(String.init) ?? ""] }
        try ledger.close()
        let again = try dealt.fixture.open()
        #expect(try again.recordedCentres() == after.dealtTo)
        try dealt.fixture.load(dealt.data, into: again, id: "more")
        #expect(try again.snapshot().unassignedPrompts > 0)
        try dealt.fixture.embed(again)
        try again.partition(at: dealt.fixture.now)
        #expect(try again.snapshot().isPartitioned && again.recordedCentres() == after.dealtTo)
        let now = try again.prompts(split: .train).map { [$0.id, $0.shard.map(String.init) ?? ""] }
        #expect(Set(places).isSubset(of: now))
    }

    @Test(
        "So it does when single interactions of the last one are forgotten, which are in the mean",
        arguments: [PartitionMethod.semantic, .user])
    func single(partition: PartitionMethod) throws {
        let dealt = try Dealt(partition, far: 1)
        let place = try dealt.place()
        let one = try #require(dealt.data.interactions.first { $0.user == dealt.far[0] })
        try dealt.forget(LedgerFixture.forget(one.key))
        #expect(try dealt.isGivenUp() && !dealt.holds(place))
    }

    @Test("Forgetting somebody who is part of no centre changes none")
    func newcomer() throws {
        let dealt = try Dealt(.user, far: 1)
        try dealt.fixture.load(dealt.data, into: dealt.ledger, id: "more")
        try dealt.fixture.embed(dealt.ledger)
        try dealt.ledger.partition(at: dealt.fixture.now)
        let place = try dealt.place()
        try dealt.forget(LedgerFixture.forget(users: ["u13"]))
        #expect(try !dealt.isGivenUp() && dealt.place() == place)
    }

    @Test(
        "Killed at any step around the commit, the centre is there with the person, or its key is gone",
        arguments: CommitStep.allCases)
    func killed(step: CommitStep) throws {
        let dealt = try Dealt(.user, far: 1)
        let place = try dealt.place()
        let killed = LedgerFixture(partition: .user)
        dealt.ledger.interrupt = { reached in
            guard reached == step else { return }
            try FileManager.default.copyItem(at: dealt.fixture.directory, to: killed.directory)
            throw Killed()
        }
        #expect(throws: Killed.self) { try dealt.forget(LedgerFixture.forget(users: [dealt.far[0]])) }
        let again = try killed.open()
        let isThere = step == .beforeCommit
        #expect(try again.hasUser(dealt.far[0]) == isThere && dealt.isGivenUp(again) == !isThere)
        #expect(try (dealt.place(of: again) == place) == isThere)
        #expect(try killed.holds(key: place.id, slot: Int(place.slot)) == isThere)
        #expect(try !again.auditLog().contains { $0.kind == "centres lost" })
    }

    @Test("Of centres that a release before recorded nobody knows whom they rest on: all go with the first request")
    func releaseBefore() throws {
        let dealt = try Dealt(.user, far: 1)
        let place = try dealt.place()
        try dealt.ledger.tamper("DELETE FROM centre_parts")
        let before = try dealt.ledger.prompts(split: .train).map { [$0.id, $0.shard.map(String.init) ?? ""] }
        try dealt.forget(LedgerFixture.forget(users: ["u5"]))
        #expect(try dealt.ledger.recordedCentres() == nil && !dealt.holds(place))
        #expect(try dealt.ledger.auditLog().count { $0.kind == "centres lost" } == 1)
        let after = try dealt.ledger.prompts(split: .train).map { [$0.id, $0.shard.map(String.init) ?? ""] }
        #expect(Set(after).isSubset(of: before))
        try dealt.fixture.load(dealt.data, into: dealt.ledger, id: "more")
        try dealt.fixture.embed(dealt.ledger)
        try dealt.ledger.partition(at: dealt.fixture.now)
        #expect(try dealt.ledger.snapshot().isPartitioned && dealt.ledger.recordedCentres() != nil)
        #expect(try dealt.ledger.inspect("SELECT DISTINCT person FROM centre_parts").count == 2)
    }

    @Test("Whose record is damaged is part of no centre any more, since no request can ask of what")
    func damaged() throws {
        let dealt = try Dealt(.user, far: 1)
        let place = try dealt.place()
        let id = try #require(
            try dealt.ledger.inspect("SELECT person FROM centre_parts WHERE centre = \(dealt.centre)").first)
        try dealt.ledger.close()
        try Ledger.tamper("UPDATE people SET record = x'00' WHERE id = \(id)", at: dealt.fixture.database)
        let again = try dealt.fixture.open()
        #expect(try dealt.isGivenUp(again) && !dealt.holds(place))
    }

    @Test("With newcomers half written, those that are left are dealt to what is left of the centres")
    func inBetween() throws {
        let dealt = try Dealt(.semantic, far: 1)
        let ledger = dealt.ledger
        try dealt.fixture.load(dealt.data, into: ledger, id: "more")
        try dealt.fixture.embed(ledger)
        var step = try ledger.beginPartition()
        var wasForgotten = false
        while true {
            switch step {
            case .done(let changed):
                #expect(wasForgotten && !changed.isEmpty)
                let snapshot = try ledger.snapshot()
                #expect(try snapshot.isPartitioned && snapshot == ledger.snapshotReadWhole() && dealt.isGivenUp())
                // One entry for the first, one for what was dealt before the request, and one for what was dealt after it.
                #expect(try ledger.auditLog().count { $0.kind == "partition" } == 3)
                return
            case .dealing(let undealt): step = .placing(try undealt.dealt())
            case .placing(let before):
                if before.next == 1 && !wasForgotten {
                    try dealt.forget(LedgerFixture.forget(users: [dealt.far[0]]))
                    wasForgotten = true
                }
                step = try ledger.continuePartition(step, seconds: 0, at: dealt.fixture.now)
                #expect(!step.beginsAgain(after: .placing(before)))
            case .gathering: step = try ledger.continuePartition(step, seconds: 0, at: dealt.fixture.now)
            }
        }
    }
}
