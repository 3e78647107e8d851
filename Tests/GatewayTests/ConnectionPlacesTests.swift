import HTTPTypes
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing
import ZeroMQ

@testable import Gateway

@Suite("Who gives way when all connections are taken")
struct ConnectionPlacesTests {
    private static let (here, there): ([UInt8], [UInt8]) = ([127, 0, 0, 1], [10, 0, 0, 9])

    /// Places that are all taken, by connections from `here`: the first ones admitted, and of those the first ones busy.
    private func full(_ count: Int, admitted: Int = 0, busy: Int = 0) -> (ConnectionPlaces, [Int]) {
        var places = ConnectionPlaces(limit: count)
        let names = (0..<count).map { _ in places.enter(Self.here).place }
        for name in names.prefix(admitted) { places.admit(name) }
        for name in names.prefix(busy) { places.set(name, isBusy: true) }
        return (places, names)
    }

    @Test func `While there is room nobody gives way, and who leaves makes room`() {
        var (places, names) = full(3)
        #expect(places.count == 3)
        places.leave(names[1])
        places.leave(names[1])
        #expect(places.enter(Self.here).leaving == nil)
        #expect(places.count == 3)
    }

    @Test func `Who was not admitted goes first, idle before busy, and then whoever is idle`() {
        var (places, names) = full(5, admitted: 3, busy: 2)
        // The last one has asked for something that is open to everybody.
        places.set(names[4], isBusy: true)
        for leaving in [names[3], names[4], names[2]] {
            let entered = places.enter(Self.there)
            #expect(entered.leaving == leaving)
            places.admit(entered.place)
            places.set(entered.place, isBusy: true)
        }
        #expect(places.count == 5)
    }

    @Test func `A request of somebody who was admitted is not cut off: then the newcomer goes`() {
        var (places, names) = full(4, admitted: 4, busy: 4)
        let entered = places.enter(Self.there)
        #expect(entered.leaving == entered.place && places.count == 4)
        places.set(names[2], isBusy: false)
        #expect(places.enter(Self.there).leaving == names[2])
    }

    @Test func `One address that takes every place makes way for others, itself first, the longest unchanged first`() {
        var places = ConnectionPlaces(limit: 10)
        let other = places.enter(Self.there).place
        let many = (0..<9).map { _ in places.enter(Self.here).place }
        #expect(places.enter([10, 0, 0, 10]).leaving == many[0])
        #expect(places.enter(Self.here).leaving == many[1])
        places.set(many[2], isBusy: true)
        places.set(many[2], isBusy: false)
        #expect(places.enter(Self.here).leaving == many[3])
        // All of one network of IPv6 are one.
        var six = [UInt8](repeating: 0x20, count: 16)
        for number in 0..<UInt8(40) {
            six[15] = number
            #expect(places.enter(six).leaving != other)
        }
        #expect(places.count == 10)
    }

    @Test func `Connections are counted while they last, closed for others, and one line says so`() throws {
        let lines = Locked<[String]>([])
        let register = ConnectionRegister(limit: 2, logger: Logger(label: "test") { _ in Lines(kept: lines) })
        func connect() throws -> EmbeddedChannel {
            let channel = EmbeddedChannel(handlers: [
                ClientConnection.Handler(), ConnectionRegister.Handler(register),
            ])
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
            return channel
        }
        let (stranger, admitted) = (try connect(), try connect())
        #expect(register.counts.open == 2 && register.counts.displaced == 0)
        ClientConnection.of(admitted)?.admit()
        let head = HTTPRequest(method: .get, scheme: "http", authority: "localhost", path: "/v1/events")
        for channel in [stranger, admitted] {
            try channel.writeInbound(HTTPRequestPart.head(head))
            try channel.writeInbound(HTTPRequestPart.end(nil))
        }
        let third = try connect()
        stranger.embeddedEventLoop.run()
        #expect(!stranger.isActive && admitted.isActive && third.isActive)
        let fourth = try connect()
        third.embeddedEventLoop.run()
        #expect(!third.isActive && admitted.isActive && fourth.isActive)
        // Its answer is over: now it is idle as well, but not a stranger.
        try admitted.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .ok)))
        try admitted.writeOutbound(HTTPResponsePart.end(nil))
        let fifth = try connect()
        fourth.embeddedEventLoop.run()
        #expect(!fourth.isActive && admitted.isActive)
        #expect(register.counts.open == 2 && register.counts.displaced == 3)
        #expect(lines.withLock { $0 } == ["warning all connections are taken: 1 were closed for others"])
        for channel in [admitted, fifth] { _ = try channel.finish() }
        #expect(register.counts.open == 0)
        let text = Self.text(of: Metrics(connections: register))
        #expect(text.contains("lethe_gateway_connections 0\n"))
        #expect(text.contains("lethe_gateway_connections_displaced_total 3\n"))
    }

    private static func text(of metrics: Metrics) -> String {
        var text = PrometheusText()
        text.add(metrics.now)
        return text.text
    }

    private struct Lines: LogHandler {
        let kept: Locked<[String]>
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { kept.withLock { $0.append("\(event.level) \(event.message)") } }
    }
}
