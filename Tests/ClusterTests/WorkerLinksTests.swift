import Messages
import Service
import Testing
import ZeroMQ

@Suite("Long messages of all workers")
struct WorkerLinksTests {
    private let peers = (1...4).map { PeerID([UInt8($0)]) }

    private func links(_ change: (inout WorkerLinks.Limits) -> Void) -> WorkerLinks {
        var limits = WorkerLinks.Limits()
        change(&limits)
        var links = WorkerLinks(limits)
        for peer in peers { links.admit(peer) }
        return links
    }

    private func long(_ bytes: Int) -> Parcel { Parcel(frames: [[UInt8](repeating: 1, count: bytes)]) }

    private func portion(at offset: Int, of total: Int, bytes: Int = 32 << 10) throws -> [[UInt8]] {
        let frame = [UInt8](repeating: 1, count: bytes)
        return try PortionMessage.portion(
            Portion(message: 1, offset: offset, total: total, frames: [frame], endsFrame: true)
        ).frames()
    }

    private func credit(_ step: PortionExchange.Step) throws -> PortionCredit? {
        guard let frames = step.given.first, case .credit(let credit) = try PortionMessage(frames: frames) else {
            return nil
        }
        return credit
    }

    @Test("What waits for a worker that does not read is bounded, and gone with its connection")
    func slowReader() throws {
        var links = links { $0.held = 4 << 20 }
        var given = 0
        var refused = 0
        for _ in 0..<100 {
            do { given += try links.send(long(1 << 20), to: peers[0], at: 0).count } catch { refused += 1 }
        }
        #expect(given == PortionLimits.firstWindow / PortionLimits.portion.lowerBound && refused > 90)
        #expect(links.heldBytes <= 4 << 20)
        #expect(links.due(at: 30).isEmpty)
        #expect(links.due(at: 61).map(\.peer) == [peers[0]])
        #expect(links.due(at: 61).map(\.reason) == [.unread])
        links.remove(peers[0])
        #expect(links.heldBytes == 0 && links.due(at: 61).isEmpty)
        // Whoever is not known as a worker is sent what there is as it is.
        #expect(try links.send(long(1 << 20), to: peers[0], at: 0) == [long(1 << 20).frames])
    }

    @Test("When too much waits for all together, whoever has the most goes")
    func tooMuch() throws {
        var links = links { $0.heldInAll = 6 << 20 }
        for (count, peer) in zip([1, 4, 2], peers) {
            for _ in 0..<count { _ = try links.send(long(1 << 20), to: peer, at: 0) }
        }
        #expect(links.isOverfull)
        #expect(links.due(at: 0).map(\.peer) == [peers[1]])
        links.keep { $0 != peers[1] }
        #expect(!links.isOverfull && links.due(at: 0).isEmpty)
    }

    @Test("Before that, no more is made for whoever has much waiting, and at last for nobody")
    func heldBack() throws {
        var links = links {
            $0.held = 6 << 20
            $0.heldInAll = 8 << 20
        }
        func may() -> [Bool] { peers.map { links.mayHand(to: $0) } }
        #expect(may() == [true, true, true, true])
        // More than half of what may wait for one.
        for _ in 0..<4 { _ = try links.send(long(1 << 20), to: peers[0], at: 0) }
        #expect(may() == [false, true, true, true])
        // More than half of what may wait for all: only who has nothing waiting.
        _ = try links.send(long(1 << 20), to: peers[1], at: 0)
        #expect(may() == [false, false, true, true])
        for _ in 0..<2 { _ = try links.send(long(1 << 20), to: peers[1], at: 0) }
        #expect(may() == [false, false, false, false] && !links.isOverfull && links.due(at: 0).isEmpty)
        links.remove(peers[0])
        #expect(may() == [true, true, true, true])
    }

    @Test("Above the bound nobody goes on while whole messages wait to be decoded, and all do once there is room")
    func undecoded() throws {
        var links = links { $0.unfinishedInAll = 80 << 10 }
        let first = try credit(
            links.take(try portion(at: 0, of: 96 << 10), from: peers[0], at: 0, undecoded: 64 << 10))
        #expect(first.map { $0.upTo <= PortionLimits.firstCredit } == true)
        #expect(links.letGoOn(at: 0, undecoded: 64 << 10).isEmpty)
        #expect(links.due(at: 61).isEmpty)
        #expect(links.letGoOn(at: 61, undecoded: 32 << 10).map(\.peer) == [peers[0]])
        #expect(links.letGoOn(at: 61).isEmpty)
    }

    @Test("Above the bound of unfinished messages only the oldest goes on, and the others after it")
    func unfinished() throws {
        var links = links { $0.unfinishedInAll = 80 << 10 }
        let total = 96 << 10
        for peer in peers.prefix(2) {
            let step = try links.take(portion(at: 0, of: total), from: peer, at: 0)
            #expect(try credit(step)?.upTo == (32 << 10) + PortionLimits.mostWindow)
        }
        let third = try links.take(portion(at: 0, of: total), from: peers[2], at: 0)
        #expect(try credit(third) == PortionCredit(received: 32 << 10, upTo: PortionLimits.firstCredit))
        #expect(links.letGoOn(at: 0).isEmpty && links.unfinishedBytes == 96 << 10)
        _ = try links.take(portion(at: 32 << 10, of: total), from: peers[0], at: 1)
        #expect(links.takeNews() == Array(peers.prefix(3)) && links.takeNews().isEmpty)
        let whole = try links.take(portion(at: 64 << 10, of: total), from: peers[0], at: 1)
        #expect(whole.whole?.count == 3 && links.unfinishedBytes == 64 << 10)
        #expect(links.letGoOn(at: 1).map(\.peer) == [peers[2]])
        // Who may go on and does not, stands still; a worker that was not told to go on does not.
        #expect(links.due(at: 60.5).map(\.peer) == [peers[1]])
        #expect(links.due(at: 62).map(\.reason) == [.stalled, .stalled])
    }

    @Test("Confirmations of what a worker was sent are no portions of what it sends")
    func confirmations() throws {
        var links = links { $0.unfinishedInAll = 1 }
        for peer in peers.prefix(2) { _ = try links.take(portion(at: 0, of: 1 << 20), from: peer, at: 0) }
        for peer in peers.prefix(2) {
            _ = try links.send(long(1 << 20), to: peer, at: 0)
            let credit = PortionCredit(received: PortionLimits.firstWindow, upTo: PortionLimits.mostWindow)
            #expect(try links.take(PortionMessage.credit(credit).frames(), from: peer, at: 50).given.count > 1)
        }
        #expect(links.due(at: 61).map(\.reason) == [.stalled])
        links.remove(peers[0])
        #expect(links.letGoOn(at: 61).map(\.peer) == [peers[1]])
    }

    @Test("If the oldest goes away, the next one goes on")
    func oldest() throws {
        var links = links { $0.unfinishedInAll = 1 }
        for peer in peers.prefix(3) { _ = try links.take(portion(at: 0, of: 1 << 20), from: peer, at: 0) }
        #expect(links.letGoOn(at: 0).isEmpty)
        links.remove(peers[0])
        #expect(links.letGoOn(at: 0).map(\.peer) == [peers[1]])
        #expect(links.letGoOn(at: 0).isEmpty)
    }

    @Test("What breaks the rules is an error, and nothing of it stays")
    func rules() throws {
        var links = links { _ in }
        _ = try links.take(portion(at: 0, of: 1 << 20), from: peers[0], at: 0)
        #expect(throws: WireError.self) { _ = try links.take(portion(at: 5, of: 1 << 20), from: peers[0], at: 0) }
        let large = try portion(at: 0, of: WireLimits.message + 1)
        #expect(throws: WireError.self) { _ = try links.take(large, from: peers[1], at: 0) }
        links.remove(peers[0])
        links.remove(peers[1])
        #expect(links.unfinishedBytes == 0)
    }
}
