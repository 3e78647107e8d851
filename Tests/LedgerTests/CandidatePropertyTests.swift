import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing

@testable import Ledger

@Suite("Candidates: equality with a fresh ledger")
struct CandidatePropertyTests {
    /// By names, since numbers are each ledger's own: what each user counts with.
    private func likes(_ ledger: Ledger, _ users: Set<String>) throws -> [String: [String]] {
        try ledger.read { db in
            let catalogue = try ledger.catalogue(db)
            var likes: [String: [String]] = [:]
            for user in users {
                let known = try #require(try ledger.people(named: user, db).first)
                likes[user] = catalogue.likes.likes(of: known.id).compactMap { catalogue[$0]?.token }
            }
            return likes
        }
    }

    private func popularity(_ ledger: Ledger) throws -> [String: Int] {
        try ledger.read { db in
            let catalogue = try ledger.catalogue(db)
            let named = catalogue.likes.popularity.map { (catalogue[$0.key]?.token ?? "gone", $0.value) }
            return Dictionary(uniqueKeysWithValues: named)
        }
    }

    private func candidates(_ ledger: Ledger, _ user: String, most: Int) throws -> QuestionData {
        try ledger.question(user: user, items: [], limit: 0, candidates: most)
    }

    @Test(
        "After random imports and forgets of people, items and interactions counts and candidates are a fresh ledger's",
        arguments: TestRounds.few(6, full: 24))
    func equalsFresh(seed: Int) throws {
        var numbers = SeededNumbers(UInt64(seed))
        let fixture = LedgerFixture(prompts: PromptConfiguration(historyLength: 3))
        let everything = SyntheticRatings(users: 30, items: 30, seed: UInt64(seed))
        let ledger = try fixture.open()
        var others = Set(everything.interactions.map(\.user)).sorted().shuffled(using: &numbers)
        others.removeFirst(18)
        var data = everything.without(users: Set(others))
        try fixture.load(data, into: ledger)
        for round in 0..<5 {
            if Bool.random(using: &numbers) {
                try forgetSome(&data, ledger, "r\(round)", fixture, &numbers)
            } else {
                // Nobody is imported again: who was forgotten is kept out.
                let user = others.removeLast()
                let rows = everything.interactions.filter { $0.user == user }
                try importSome(&data, and: rows, ledger, "i\(round)", fixture, &numbers)
            }
        }
        let fresh = try LedgerFixture(prompts: fixture.prompts).load(data)
        let there = Set(data.interactions.map(\.user))
        #expect(try popularity(ledger) == popularity(fresh) && !popularity(fresh).isEmpty)
        #expect(try likes(ledger, there) == likes(fresh, there))
        for user in there.sorted() {
            for most in [3, 10, 25] {
                let (mine, theirs) = try (candidates(ledger, user, most: most), candidates(fresh, user, most: most))
                #expect(mine.items == theirs.items && mine.items.count <= most)
                #expect(mine.retrieval == theirs.retrieval)
            }
        }
        // And those of the same ledger, when it is opened again.
        let before = try (popularity(ledger), likes(ledger, there))
        try ledger.close()
        let again = try fixture.open()
        #expect(try popularity(again) == before.0 && likes(again, there) == before.1)
    }

    @Test("A forget that fails when it is committed leaves the counts as they were")
    func failing() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.load(SyntheticRatings(users: 12, items: 20, seed: 1))
        let before = try popularity(ledger)
        struct Full: Error {}
        ledger.interrupt = { if $0 == .beforeCommit { throw Full() } }
        #expect(throws: (any Error).self) {
            _ = try ledger.forget(requestID: "r", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        }
        ledger.interrupt = nil
        #expect(try popularity(ledger) == before)
        _ = try ledger.forget(requestID: "r", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        #expect(try popularity(ledger) != before)
    }

    @Test("Of several calls in one transaction those that fail count nothing, and none does if it fails as a whole")
    func together() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.load(SyntheticRatings(users: 12, items: 20, seed: 2))
        let before = try popularity(ledger)
        struct Full: Error {}
        ledger.interrupt = { if $0 == .beforeCommit { throw Full() } }
        fixture.prompts.likeAbove = 1
        #expect(throws: (any Error).self) {
            try ledger.together {
                _ = try ledger.forget(requestID: "r", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
                let none = SyntheticRatings(users: 0, items: 0, seed: 0)
                try fixture.load(none, into: ledger, id: "likes", changePrompts: true)
                // What others read meanwhile is what was written so far.
                #expect(try popularity(ledger) != before)
            }
        }
        ledger.interrupt = nil
        fixture.prompts.likeAbove = PromptConfiguration().likeAbove
        #expect(try popularity(ledger) == before)
        try ledger.together {
            _ = try ledger.forget(requestID: "r", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
            #expect(throws: LedgerError.self) {
                _ = try ledger.forget(requestID: "s", LedgerFixture.forget(users: ["u2", "nobody"]), at: fixture.now)
            }
            _ = try ledger.forget(requestID: "t", LedgerFixture.forget(users: ["u3"]), at: fixture.now)
        }
        let after = try popularity(ledger)
        try ledger.close()
        #expect(try popularity(fixture.open()) == after && after != before)
    }

    private func importSome(
        _ data: inout SyntheticRatings, and new: [Interaction], _ ledger: Ledger, _ id: String,
        _ fixture: LedgerFixture, _ numbers: inout SeededNumbers
    ) throws {
        // Somebody who is there changes their mind.
        let position = data.interactions.indices.randomElement(using: &numbers) ?? 0
        data.interactions[position].rating = Double(Int.random(in: 1...5, using: &numbers))
        let rows = new + [data.interactions[position]]
        data.interactions += new
        try fixture.load(SyntheticRatings(items: data.items, rows), into: ledger, id: id)
    }

    private func forgetSome(
        _ data: inout SyntheticRatings, _ ledger: Ledger, _ id: String, _ fixture: LedgerFixture,
        _ numbers: inout SeededNumbers
    ) throws {
        let users = Set(data.interactions.map(\.user)).sorted()
        guard users.count > 8 else { return }
        let whole = Set(users.shuffled(using: &numbers).prefix(Int.random(in: 0...2, using: &numbers)))
        var targets = data.interactions.shuffled(using: &numbers).prefix(3).map {
            ClientRequest.ForgetRequest.Target(user: $0.user, item: $0.item, timestamp: $0.timestamp)
        }
        // All that somebody has of an item.
        if let one = data.interactions.randomElement(using: &numbers) {
            targets.append(.init(user: one.user, item: one.item, timestamp: nil))
        }
        _ = try ledger.forget(
            requestID: id, .init(users: whole.sorted(), interactions: targets), at: fixture.now)
        let gone = data.interactions.filter { row in
            targets.contains {
                $0.user == row.user && $0.item == row.item && ($0.timestamp ?? row.timestamp) == row.timestamp
            }
        }
        data = data.without(users: whole, interactions: Set(gone.map(\.key)))
    }
}

extension SyntheticRatings {
    fileprivate init(items: [Item], _ interactions: [Interaction]) {
        self.init(users: 0, seed: 0)
        (self.items, self.interactions) = (items, interactions)
    }
}

extension LedgerFixture {
    fileprivate func load(_ data: SyntheticRatings) throws -> Ledger {
        let ledger = try open()
        try load(data, into: ledger)
        return ledger
    }
}
