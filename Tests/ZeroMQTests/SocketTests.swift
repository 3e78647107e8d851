import Testing
import ZeroMQ

/// Waits for one message; nil after the timeout.
func receive(_ socket: Socket, within timeout: Duration = .seconds(30)) throws -> [[UInt8]]? {
    let clock = ContinuousClock()
    let deadline = clock.now + timeout
    while clock.now < deadline {
        if let frames = try socket.receive() { return frames }
        _ = try Poller([.socket(socket)]).wait(timeout: deadline - clock.now)
    }
    return nil
}

@Suite("Sockets")
struct SocketTests {
    @Test("A multipart message crosses TCP and the answer finds its way back")
    func roundTrip() throws {
        let context = try Context()
        let router = try Socket(context, .router)
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        #expect(endpoint.hasPrefix("tcp://127.0.0.1:") && !endpoint.hasSuffix("*"))
        let dealer = try Socket(context, .dealer)
        try dealer.connect(endpoint)
        let large = [UInt8](repeating: 7, count: 1 << 20)
        try dealer.send([[], [1, 2, 3], [], large])
        let request = try #require(try receive(router))
        #expect(Array(request.dropFirst()) == [[], [1, 2, 3], [], large])
        try router.send([request[0], [], [9]])
        #expect(try receive(dealer) == [[], [9]])
    }

    @Test("A ROUTER socket says that a peer is unknown instead of dropping the message")
    func unroutable() throws {
        let router = try Socket(try Context(), .router)
        try router.bind("tcp://127.0.0.1:*")
        #expect(throws: ZeroMQError.unreachable) { try router.send([[1, 2, 3, 4, 5], [], [1]]) }
    }

    @Test("Sending to nobody stops at the high-water mark")
    func highWaterMark() throws {
        var options = SocketOptions()
        options.sendHighWaterMark = 2
        let dealer = try Socket(try Context(), .dealer, options: options)
        try dealer.connect("tcp://127.0.0.1:9")
        #expect(throws: ZeroMQError.wouldBlock) { for _ in 0..<10 { try dealer.send([[1]]) } }
    }

    @Test("Nothing is received where nothing was sent")
    func empty() throws {
        let dealer = try Socket(try Context(), .dealer)
        #expect(try dealer.receive() == nil)
        #expect(try Poller([.socket(dealer)]).wait(timeout: .milliseconds(5)) == [false])
    }

    @Test("A frame above the limit costs its sender the connection")
    func maximumFrameSize() throws {
        let context = try Context()
        var options = SocketOptions()
        options.maximumFrameSize = 1000
        let router = try Socket(context, .router, options: options)
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        let rude = try Socket(context, .dealer)
        try rude.connect(endpoint)
        try rude.send([[UInt8](repeating: 0, count: 1001)])
        let polite = try Socket(context, .dealer)
        try polite.connect(endpoint)
        try polite.send([[5]])
        #expect(try receive(router)?.last == [5])
        #expect(try receive(router, within: .milliseconds(100)) == nil)
    }

    @Test("A message of too many frames or bytes is dropped and the next one arrives")
    func messageLimits() throws {
        let context = try Context()
        let left = try Socket(context, .pair)
        try left.bind("inproc://limits")
        let right = try Socket(context, .pair)
        try right.connect("inproc://limits")
        try left.send([[1], [2], [3]])
        try left.send([[1, 2, 3, 4]])
        try left.send([[1]])
        #expect(throws: ZeroMQError.messageTooLarge) { try right.receive(maximumFrames: 2, maximumBytes: 3) }
        #expect(throws: ZeroMQError.messageTooLarge) { try right.receive(maximumFrames: 2, maximumBytes: 3) }
        #expect(try right.receive(maximumFrames: 2, maximumBytes: 3) == [[1]])
    }

    @Test("An occupied or impossible endpoint is named in the error")
    func badEndpoints() throws {
        let context = try Context()
        let first = try Socket(context, .router)
        let endpoint = try first.bind("tcp://127.0.0.1:*")
        let second = try Socket(context, .router)
        #expect(throws: ZeroMQError.addressInUse(endpoint: endpoint)) { try second.bind(endpoint) }
        #expect(throws: ZeroMQError.invalidEndpoint("nonsense")) { try second.bind("nonsense") }
        let reason = "the port is missing: write tcp://nowhere:7070"
        let malformed = ZeroMQError.malformedEndpoint("tcp://nowhere", reason: reason)
        #expect(throws: malformed) { try second.connect("tcp://nowhere") }
    }

    @Test("A context that is shut down ends waiting")
    func shutdown() throws {
        let context = try Context()
        let dealer = try Socket(context, .dealer)
        context.shutdown()
        #expect(throws: ZeroMQError.contextTerminated) { try dealer.receive() }
    }
}
