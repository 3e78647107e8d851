import Coordination
import Messages
import Service
import Testing

@Suite("Large requests are decoded beside the socket's thread, within bounds")
struct LargeRequestsTests {
    private let anna = PeerID([1])
    private let ben = PeerID([2])
    private let carl = PeerID([3])
    private let megabyte = 1 << 20

    private func ticket(_ peer: PeerID, _ id: String = "r") -> ClientTicket { ClientTicket(peer: peer, request: id) }

    private func limits(_ bytes: Int, ofOne: Int) -> LargeRequests.Limits {
        var limits = LargeRequests.Limits()
        (limits.bytes, limits.bytesOfOne) = (bytes, ofOne)
        return limits
    }

    @Test("What is small stays on the socket's thread")
    func small() {
        var large = LargeRequests()
        #expect(large.take(bytes: LargeRequests.threshold, from: anna) == .onSocketThread)
        #expect(large.take(bytes: LargeRequests.threshold + 1, from: anna) == .onOwnThread)
    }

    @Test("What a connection sends behind a large request stays behind it, and others are not kept waiting")
    func order() {
        var large = LargeRequests()
        #expect(large.take(bytes: megabyte, from: anna) == .onOwnThread)
        #expect(large.take(bytes: 10, from: anna) == .onOwnThread)
        #expect(large.take(bytes: 10, from: ben) == .onSocketThread)
        large.decoded(bytes: megabyte, from: anna, keptFor: ticket(anna))
        #expect(large.take(bytes: 10, from: anna) == .onOwnThread)
        for _ in 0..<2 { large.decoded(bytes: 10, from: anna, keptFor: nil) }
        // The large one is not answered yet; nothing is left to be decoded before it.
        #expect(large.take(bytes: 10, from: anna) == .onSocketThread)
        #expect(large.bytes == megabyte)
        large.finished(ticket(anna))
        #expect(large.bytes == 0)
    }

    @Test("Beyond the bytes of one connection, and of all, requests are refused until some are answered")
    func bounded() {
        var large = LargeRequests(limits(5 * megabyte, ofOne: 3 * megabyte))
        #expect(large.take(bytes: 2 * megabyte, from: anna) == .onOwnThread)
        #expect(large.take(bytes: 2 * megabyte, from: anna) == .refused)
        #expect(large.take(bytes: 2 * megabyte, from: ben) == .onOwnThread)
        #expect(large.take(bytes: 2 * megabyte, from: carl) == .refused)
        large.decoded(bytes: 2 * megabyte, from: anna, keptFor: ticket(anna))
        #expect(large.take(bytes: 2 * megabyte, from: carl) == .refused)
        large.finished(ticket(anna))
        #expect(large.take(bytes: 2 * megabyte, from: carl) == .onOwnThread)
        // What cannot be read counts no more once that is known.
        large.decoded(bytes: 2 * megabyte, from: ben, keptFor: nil)
        #expect(large.bytes == 2 * megabyte)
    }

    @Test("A request that came twice counts twice until both are answered; small ones behind it count something too")
    func twice() {
        var large = LargeRequests()
        for _ in 0..<2 {
            _ = large.take(bytes: megabyte, from: anna)
            large.decoded(bytes: megabyte, from: anna, keptFor: ticket(anna))
        }
        large.finished(ticket(anna))
        #expect(large.bytes == megabyte)
        large.finished(ticket(anna))
        large.finished(ticket(anna))
        #expect(large.bytes == 0)
        _ = large.take(bytes: megabyte, from: anna)
        _ = large.take(bytes: 1, from: anna)
        #expect(large.bytes == megabyte + LargeRequests.leastBytes)
    }

    @Test("What the ledger was given counts until it is written or refused, whoever is answered meanwhile")
    func written() {
        var large = LargeRequests(limits(5 * megabyte, ofOne: 3 * megabyte))
        _ = large.take(bytes: 2 * megabyte, from: anna)
        large.decoded(bytes: 2 * megabyte, from: anna, keptFor: ticket(anna))
        large.gave(ticket(anna), as: 7)
        // Another one under its name is answered at once, and does not stand for it.
        _ = large.take(bytes: megabyte, from: anna)
        large.decoded(bytes: megabyte, from: anna, keptFor: ticket(anna))
        for _ in 0..<2 { large.finished(ticket(anna)) }
        #expect(large.bytes == 2 * megabyte)
        #expect(large.take(bytes: 2 * megabyte, from: anna) == .refused)
        large.ended(8)
        #expect(large.bytes == 2 * megabyte)
        for _ in 0..<2 { large.ended(7) }
        #expect(large.bytes == 0)
        #expect(large.take(bytes: 2 * megabyte, from: anna) == .onOwnThread)
        // A small one was never counted.
        large.gave(ticket(ben), as: 9)
        large.ended(9)
        #expect(large.bytes == 2 * megabyte)
    }
}
