import Messages
import Testing

@Suite("How many bytes of portions are on their way")
struct PortionWindowTests {
    /// Portions over a link that carries so many bytes a second, with so many seconds there and back besides.
    private func window(_ rate: Double, delay: Double, seconds: Double) -> (window: PortionWindow, waits: [Double]) {
        var window = PortionWindow()
        var onTheWay: [(bytes: Int, sent: Double, arrives: Double)] = []
        var (now, free, bytes) = (0.0, 0.0, 0)
        var waits: [Double] = []
        while now < seconds {
            while bytes + window.portion <= window.bytes || bytes == 0 {
                free = max(free, now) + Double(window.portion) / rate
                onTheWay.append((window.portion, now, free + delay))
                bytes += window.portion
            }
            waits.append(free - now)
            let first = onTheWay.removeFirst()
            now = first.arrives
            bytes -= first.bytes
            window.confirmed(first.bytes, sentAt: first.sent, at: now)
        }
        return (window, waits)
    }

    @Test("At 1 Mbit/s and more nothing waits for half a second, but at the beginning", arguments: [1.0, 2, 4])
    func slow(megabits: Double) {
        let (_, waits) = window(megabits * 125_000, delay: 0.02, seconds: 60)
        #expect(waits.allSatisfy { $0 < 0.7 })
        #expect(waits.dropFirst(waits.count / 8).allSatisfy { $0 < 0.4 })
    }

    @Test("A fast link is filled, and so is one that is only long", arguments: [0.0001, 0.05, 0.6])
    func fast(delay: Double) {
        let (window, _) = window(125_000_000, delay: delay, seconds: 20)
        #expect(window.bytes == PortionLimits.mostWindow)
        #expect(window.portion == PortionLimits.portion.upperBound)
    }

    @Test("When a fast link becomes slow, the window follows, and again when it becomes fast")
    func change() {
        var window = PortionWindow()
        for step in 0..<200 { window.confirmed(1 << 18, sentAt: Double(step), at: Double(step) + 0.001) }
        #expect(window.bytes == PortionLimits.mostWindow)
        window.confirmed(1 << 18, sentAt: 300, at: 305)
        #expect(window.bytes < PortionLimits.mostWindow / 8)
        // Of before it shrank.
        let bytes = window.bytes
        window.confirmed(1 << 18, sentAt: 301, at: 310)
        #expect(window.bytes == bytes)
        for step in 0..<50 { window.confirmed(1 << 14, sentAt: Double(400 + step), at: Double(402 + step)) }
        #expect(window.bytes == PortionLimits.leastWindow && window.portion == PortionLimits.portion.lowerBound)
        for step in 0..<2000 { window.confirmed(1 << 14, sentAt: Double(500 + step), at: Double(500 + step) + 0.001) }
        #expect(window.bytes == PortionLimits.mostWindow)
    }
}
