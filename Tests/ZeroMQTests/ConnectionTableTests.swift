import Testing
import ZeroMQ

@Suite("What connections leave unread together")
struct ConnectionTableTests {
    private let start = ContinuousClock.now

    /// Connections 3, 4 and 5, which were sent so many bytes and have read none: more than they may together.
    private func table() -> ConnectionTable {
        var limits = ConnectionLimits(connections: 64)
        (limits.unreadBytesInAll, limits.unreadPatience) = (1_000_000, .seconds(5))
        var table = ConnectionTable(limits)
        for (descriptor, bytes) in [(3, 300_000), (4, 500_000), (5, 400_000)] as [(Int32, UInt64)] {
            table.accepted(descriptor, from: "10.0.0.\(descriptor)", at: start)
            _ = table.took(100, from: identity(descriptor), on: descriptor, at: start)
            table.gave(bytes, to: identity(descriptor), at: start)
            table.measured(TCPTraffic(received: 100), of: descriptor, at: start)
        }
        return table
    }

    private func identity(_ descriptor: Int32) -> [UInt8] { [UInt8(descriptor)] }

    /// Those that must go so many seconds after the start.
    private func due(_ table: inout ConnectionTable, after seconds: Int) -> [Int32] {
        table.due(at: start + .seconds(seconds)).map(\.descriptor)
    }

    @Test("Too much for some seconds costs whoever has the most unread the connection, and nobody else")
    func most() {
        var table = table()
        #expect(table.unread == 1_200_000)
        #expect(due(&table, after: 0).isEmpty && due(&table, after: 4).isEmpty)
        let gone = table.due(at: start + .seconds(5))
        #expect(gone.map(\.descriptor) == [4] && gone.map(\.reason) == [.unread] && gone.first?.address == "10.0.0.4")
        #expect(due(&table, after: 6).isEmpty && due(&table, after: 30).isEmpty)
    }

    @Test("Whoever reads in time stays; reading a little of much does not help")
    func reading() {
        var table = table()
        #expect(due(&table, after: 0).isEmpty)
        // Below the bound: the seconds begin anew above it.
        table.measured(TCPTraffic(received: 100, acknowledged: 300_000), of: 3, at: start + .seconds(3))
        #expect(due(&table, after: 3).isEmpty)
        table.gave(200_000, to: identity(3), at: start + .seconds(4))
        #expect(due(&table, after: 4).isEmpty)
        table.measured(TCPTraffic(received: 100, acknowledged: 1000), of: 4, at: start + .seconds(8))
        #expect(due(&table, after: 8).isEmpty)
        #expect(due(&table, after: 9) == [4])
    }

    @Test("Who reads a long reply at a good pace goes on, and is counted against nobody else")
    func fast() {
        var table = table()
        table.gave(40_000_000, to: identity(4), at: start)
        #expect(due(&table, after: 0).isEmpty)
        for seconds in 1...12 {
            let traffic = TCPTraffic(received: 100, acknowledged: UInt64(seconds) * 1_200_000)
            table.measured(traffic, of: 4, at: start + .seconds(seconds))
            #expect(due(&table, after: seconds).isEmpty, "\(seconds)")
        }
        // It stops.
        #expect(due(&table, after: 14).isEmpty)
        #expect(due(&table, after: 15) == [4])
    }

    @Test("What is sent to those who are known in portions has its bounds elsewhere")
    func known() {
        var table = table()
        table.allow(unfinishedBytes: 1 << 20, of: identity(4))
        #expect(table.unread == 700_000)
        #expect(due(&table, after: 0).isEmpty && due(&table, after: 30).isEmpty)
    }

    @Test("Whoever is known and asks as others do is counted as they are, but for what it did not ask for")
    func replies() {
        var table = table()
        table.allow(unfinishedBytes: 1 << 20, of: identity(4))
        table.gave(600_000, to: identity(4), isReply: true, at: start)
        // It has read some: of what it did not ask for.
        let traffic = TCPTraffic(received: 100, acknowledged: 450_000)
        table.measured(traffic, of: 4, at: start)
        #expect(table.unread == 700_000 + 600_000)
        #expect(due(&table, after: 0).isEmpty)
        #expect(due(&table, after: 5) == [4])
        // No more than it has left, and nothing once it has read everything.
        table.measured(TCPTraffic(received: 100, acknowledged: 1_000_000), of: 4, at: start)
        #expect(table.unread == 700_000 + 100_000)
        table.measured(TCPTraffic(received: 100, acknowledged: 1_100_000), of: 4, at: start)
        table.gave(2_000_000, to: identity(4), at: start)
        #expect(table.unread == 700_000)
    }

    @Test("A peer that is known at one of its connections is a stranger at the others, which it was known at before")
    func elsewhere() {
        var table = table()
        for descriptor: Int32 in 3...5 { table.allow(unfinishedBytes: 1 << 20, of: identity(descriptor)) }
        #expect(table.unread == 0)
        table.allow(unfinishedBytes: 1 << 20) { $0 == identity(5) }
        #expect(table.unread == 800_000)
        // It comes back to another one without a greeting.
        table.allow(unfinishedBytes: 1 << 20) { $0 == identity(4) }
        #expect(table.unread == 700_000)
        // What one may send of a message without an end is as for everybody at the others: here, more.
        for descriptor: Int32 in 3...5 { table.measured(TCPTraffic(received: 2 << 20), of: descriptor, at: start) }
        #expect(table.due(at: start).map(\.descriptor) == [4])
    }
}
