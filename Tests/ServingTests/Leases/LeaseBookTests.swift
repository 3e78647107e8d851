import Messages
import Serving
import Testing

@Suite struct LeaseBookTests {
    private let rules = LeaseRules()
    private let anna = PeerID([1])
    private let berta = PeerID([2])
    private let inputs = ForgottenInputs(people: [1], items: [], adapters: ["a"], changesReferences: false)

    private func book() -> LeaseBook { LeaseBook(run: "run", mayInherit: false, at: 0) }

    private func obeys(_ version: UInt64, _ number: UInt64, of run: String = "run") -> LeaseRequest {
        LeaseRequest(number: number, obeyed: .init(run: run, version: version))
    }

    @Test func `Without a holder everything is settled at once, and counted all the same`() {
        var book = book()
        #expect(book.revoke(inputs, at: 0).to == [])
        #expect(book.version == 1 && book.settled(at: 0) == 1 && book.inheritsNothing(at: 0))
    }

    @Test func `A forget waits for every holder to obey`() throws {
        var book = book()
        _ = try book.take(LeaseRequest(number: 1), from: anna, at: 0).get()
        _ = try book.take(LeaseRequest(number: 1), from: berta, at: 0).get()
        let (revocation, peers) = book.revoke(inputs, at: 100)
        #expect(revocation.version == 1 && peers == [anna, berta] && book.settled(at: 100) == 0)
        _ = try book.take(obeys(1, 2), from: anna, at: 110).get()
        #expect(book.settled(at: 110) == 0)
        _ = try book.take(obeys(1, 2), from: berta, at: 120).get()
        #expect(book.settled(at: 120) == 1)
    }

    @Test func `Who does not obey gets no longer lease, and keeps nobody waiting once it has run out`() throws {
        var book = book()
        _ = try book.take(LeaseRequest(number: 1), from: anna, at: 0).get()
        _ = book.revoke(inputs, at: 100)
        // For a while it may not have heard of it.
        _ = try book.take(obeys(0, 2), from: anna, at: 1000).get()
        #expect(book.take(obeys(0, 3), from: anna, at: 1100) == .failure(.disobedient))
        #expect(book.settled(at: 1000 + rules.waited - 1) == 0)
        #expect(book.settled(at: 1000 + rules.waited) == 1)
    }

    @Test func `Whose lease ran out before a forget gets none until it holds nothing`() throws {
        var book = book()
        _ = try book.take(LeaseRequest(number: 1), from: anna, at: 0).get()
        let late = rules.waited + 1
        #expect(book.revoke(inputs, at: late).to == [])
        #expect(book.take(obeys(0, 2), from: anna, at: late + 1) == .failure(.disobedient))
        #expect(try book.take(LeaseRequest(number: 3), from: anna, at: late + 2).get().version == 1)
    }

    @Test func `Requests that were overtaken or that come twice say nothing`() throws {
        var book = book()
        _ = try book.take(LeaseRequest(number: 5), from: anna, at: 0).get()
        _ = book.revoke(inputs, at: 1)
        #expect(book.take(LeaseRequest(number: 5), from: anna, at: 2) == .failure(.overtaken))
        #expect(book.take(LeaseRequest(number: 4), from: anna, at: 2) == .failure(.overtaken))
        #expect(book.settled(at: 2) == 0)
    }

    @Test func `What was obeyed of another run, or what never was revoked, counts for nothing`() {
        var book = book()
        #expect(book.take(obeys(0, 1, of: "earlier"), from: anna, at: 0) == .failure(.disobedient))
        #expect(book.take(obeys(7, 1), from: anna, at: 0) == .failure(.disobedient))
        #expect(book.count(at: 0) == 0)
    }

    @Test func `A coordinator that comes after one that granted leases waits until they have run out`() {
        let later = LeaseBook(run: "later", mayInherit: true, at: 10)
        #expect(!later.inheritsNothing(at: 10 + rules.waited - 1))
        #expect(later.inheritsNothing(at: 10 + rules.waited))
        // The holder's clock may be the slower one.
        #expect(Double(rules.waited) >= Double(rules.milliseconds) * 1.02 / 0.98)
    }

    @Test func `There are as many as may be, and a place is free again when a lease runs out or is given back`() throws
    {
        var few = LeaseRules()
        few.holders = 1
        var book = LeaseBook(run: "run", mayInherit: false, rules: few, at: 0)
        _ = try book.take(LeaseRequest(number: 1), from: anna, at: 0).get()
        #expect(book.take(LeaseRequest(number: 1), from: berta, at: 1) == .failure(.full))
        book.end(anna)
        _ = try book.take(LeaseRequest(number: 2), from: berta, at: 2).get()
        _ = try book.take(LeaseRequest(number: 2), from: anna, at: 2 + rules.waited).get()
    }

    @Test func `Replies wait for what was revoked before them, in their order`() throws {
        var book = book()
        var replies = LeasedReplies<String>()
        let isHeld = replies.hold("nobody to wait for", book, at: 0)
        #expect(!isHeld)
        _ = try book.take(LeaseRequest(number: 1), from: anna, at: 0).get()
        _ = book.revoke(inputs, at: 1)
        let isFirstHeld = replies.hold("first", book, at: 1)
        _ = book.revoke(inputs, at: 2)
        let isSecondHeld = replies.hold("second", book, at: 2)
        #expect(isFirstHeld && isSecondHeld)
        #expect(replies.release(book, at: 3) == [])
        _ = try book.take(obeys(1, 2), from: anna, at: 4).get()
        #expect(replies.release(book, at: 4) == ["first"])
        #expect(replies.release(book, at: rules.waited + 4) == ["second"])
        #expect(replies.count == 0)
    }
}
