import Compute
import Messages
import Testing

@Suite("Long messages at their receiving end")
struct IncomingPortionsTests {
    private let piece = [UInt8](repeating: 7, count: 1000)

    private func portion(
        _ message: Int = 1, at offset: Int = 0, of total: Int = 2000, _ frames: [[UInt8]]? = nil, ends: Bool = true
    ) -> Portion {
        Portion(message: message, offset: offset, total: total, frames: frames ?? [piece], endsFrame: ends)
    }

    @Test("Pieces of frames are put together as they were")
    func together() throws {
        var incoming = IncomingPortions(limit: 10_000)
        #expect(try incoming.take(portion([[], [1], piece], of: 2001, ends: false)) == nil)
        #expect(incoming.bytes == 1001 && incoming.isOpen)
        #expect(try incoming.take(portion(at: 1001, of: 2001)) == [[], [1], piece + piece])
        #expect(incoming.bytes == 0 && !incoming.isOpen)
        #expect(incoming.credit.received == 2001)
        #expect(try incoming.take(portion(2, of: 1000)) == [piece])
    }

    private func portion(_ frames: [[UInt8]], of total: Int, ends: Bool) -> Portion {
        Portion(message: 1, offset: 0, total: total, frames: frames, endsFrame: ends)
    }

    @Test("What is out of turn, or not as announced, is refused")
    func rules() throws {
        let bad: [Portion] = [
            portion(1), portion(2, at: 1000), portion(1, at: 999), portion(1, at: 1000, of: 2001),
            portion(1, at: 1000, [piece + [1]]), portion(1, at: 1000, []), portion(1, at: 1000, [[]]),
            portion(1, at: 1000, ends: false), portion(1, at: .max), portion(.max, at: 1000), portion(1, at: .min),
        ]
        for bad in bad {
            var incoming = IncomingPortions(limit: 10_000)
            _ = try incoming.take(portion())
            #expect(throws: WireError.self, "\(bad)") { _ = try incoming.take(bad) }
        }
        let first: [Portion] = [
            portion(0), portion(2), portion(1, at: 1), portion(of: 0, [[]]), portion(of: -1), portion(of: .max),
        ]
        for first in first {
            var incoming = IncomingPortions(limit: 10_000)
            #expect(throws: WireError.self, "\(first)") { _ = try incoming.take(first) }
            #expect(incoming.bytes == 0)
        }
    }

    @Test("A message above the limit is refused when it is announced, and portions without credit when they come")
    func limits() throws {
        var small = IncomingPortions(limit: 1999)
        #expect(throws: WireError.tooLarge(what: "message in portions", size: 2000, limit: 1999)) {
            _ = try small.take(portion())
        }
        var incoming = IncomingPortions(limit: 1 << 30)
        let half = [UInt8](repeating: 1, count: PortionLimits.firstCredit / 2)
        for part in 0..<2 { _ = try incoming.take(portion(at: part * half.count, of: 1 << 20, [half])) }
        #expect(!incoming.isAllowed)
        var other = incoming
        #expect(throws: WireError.self) { _ = try other.take(portion(at: 2 * half.count, of: 1 << 20, [[1]])) }
        #expect(incoming.allow().upTo == 2 * half.count + PortionLimits.mostWindow)
        #expect(throws: Never.self) { _ = try incoming.take(portion(at: 2 * half.count, of: 1 << 20, [[1]])) }
    }

    @Test("A message that is cut leaves nothing, and the next one counts on")
    func cut() throws {
        var incoming = IncomingPortions(limit: 10_000)
        #expect(throws: WireError.self) { try incoming.cut(1) }
        _ = try incoming.take(portion())
        #expect(throws: WireError.self) { try incoming.cut(2) }
        try incoming.cut(1)
        #expect(incoming.bytes == 0 && !incoming.isOpen)
        #expect(throws: WireError.self) { _ = try incoming.take(portion(1, at: 1000)) }
        #expect(try incoming.take(portion(2, of: 1000)) == [piece])
    }

    @Test("Whatever comes in, no more is kept than the limit, and what is whole is what was sent", arguments: 0..<20)
    func generated(seed: Int) throws {
        let generator = CounterGenerator(seed: UInt64(seed))
        var position = 0
        func random(_ limit: Int) -> Int {
            position += 1
            return Int(generator.word(at: position)) % max(1, limit)
        }
        var wholes = 0
        for _ in 0..<200 {
            var incoming = IncomingPortions(limit: 90_000)
            let frames = (0...random(6)).map { _ in
                [UInt8](repeating: UInt8(random(256)), count: random(8) == 0 ? 0 : random(12_000) + 1)
            }
            let long = Parcel(frames: frames + [[UInt8](repeating: 9, count: PortionLimits.short)])
            var outgoing = OutgoingPortions()
            var messages = try outgoing.send(long, at: 0)
            while outgoing.heldBytes > 0 {
                let received = outgoing.sentBytes
                messages += try outgoing.take(
                    PortionCredit(received: received, upTo: received + PortionLimits.mostWindow), at: 0)
            }
            var changed = false
            for index in messages.indices where random(6) == 0 {
                changed = true
                switch random(4) {
                case 0: messages[index] = messages[random(messages.count)]
                case 1: messages.swapAt(index, random(messages.count))
                default:
                    let frame = random(messages[index].count)
                    guard !messages[index][frame].isEmpty else { continue }
                    messages[index][frame][random(messages[index][frame].count)] ^= UInt8(1 << random(8))
                }
            }
            for frames in messages {
                guard case .portion(let portion)? = try? PortionMessage(frames: frames) else { continue }
                let whole = try? incoming.take(portion)
                _ = incoming.allow()
                if let whole, !changed { #expect(whole == long.frames) }
                wholes += whole == nil ? 0 : 1
                #expect(incoming.bytes <= 90_000)
            }
        }
        #expect(wholes > 10)
    }
}
