import Client
import Foundation
import Messages
import Testing
import ZeroMQ

@Suite("A coordinator that is not there")
struct AbsentCoordinatorTests {
    private let begin = ContinuousClock.now

    @Test("Where nothing takes a connection a long patience ends sooner, a short one when it would")
    func end() {
        let absence = Absence(begin: begin)
        #expect(absence.end(before: begin + .seconds(600)) == begin + .seconds(15))
        #expect(absence.end(before: begin + .seconds(5)) == begin + .seconds(5))
    }

    @Test("Whoever waits is told once, after a while")
    func word() {
        var absence = Absence(begin: begin)
        #expect(absence.nextWord(before: begin + .seconds(5)) == begin + .seconds(3))
        let early = absence.mustSpeak(at: begin + .seconds(2))
        let due = absence.mustSpeak(at: begin + .seconds(3))
        let again = absence.mustSpeak(at: begin + .seconds(9))
        #expect(!early && due && !again)
        #expect(absence.nextWord(before: begin + .seconds(5)) == begin + .seconds(5))
    }

    @Test("A client says so of an address where nothing listens, and what it ends with names the address")
    func client() throws {
        // A port that was free a moment ago: the socket that has found it is gone by then.
        let endpoint = try { try Socket(try Context(), .router).bind("tcp://127.0.0.1:*") }()
        let client = try CoordinatorClient(endpoint: endpoint)
        var words: [String] = []
        client.whenAbsent = { words.append($0) }
        let began = ContinuousClock.now
        let error = #expect(throws: ClientError.self) { try client.call(.status, patience: .seconds(600)) }
        #expect(error?.code == .unreachable && error?.message.contains(endpoint) == true)
        #expect(ContinuousClock.now - began < .seconds(120))
        #expect(words.count == 1 && words.allSatisfy { $0.contains(endpoint) })
    }

    @Test("A client that came upon another one's keys finds the coordinator that is there later")
    func later() throws {
        let context = try Context()
        var options = SocketOptions()
        options.curve = .server(try CurveKeyPair.generate(), try Authenticator(context, .keys([])))
        var stranger: Socket? = try Socket(context, .router, options: options)
        let endpoint = try #require(try stranger?.bind("tcp://127.0.0.1:*"))
        let client = try CoordinatorClient(endpoint: endpoint)
        for _ in 0..<2 {
            let error = #expect(throws: ClientError.self) { try client.call(.status, patience: .seconds(1)) }
            #expect(error?.code == .unreachable)
        }
        // Long enough for a connection that was made at once to meet the same stranger.
        Thread.sleep(forTimeInterval: 0.5)
        stranger = nil
        let ended = Locked(false)
        let thread = Thread { Self.answer(at: endpoint, until: { ended.withLock(\.self) }) }
        thread.start()
        defer { ended.withLock { $0 = true } }
        #expect(try client.call(.status, patience: .seconds(30)).body == Data(#"{"is":"there"}"#.utf8))
    }

    private static func answer(at endpoint: String, until hasEnded: () -> Bool) {
        guard let socket = try? Socket(try Context(), .router) else { return }
        // The port is free once libzmq's own thread has closed the other one's socket.
        while (try? socket.bind(endpoint)) == nil, !hasEnded() { Thread.sleep(forTimeInterval: 0.02) }
        let reply = ClientReply(outcome: .success(json: Array(#"{"is":"there"}"#.utf8)))
        while !hasEnded() {
            guard (try? Poller([.socket(socket)]).wait(timeout: .milliseconds(50)))?[0] == true,
                let message = try? socket.receive(), let id = String(validating: message[4], as: UTF8.self)
            else { continue }
            try? socket.send([message[0]] + reply.frames(id: id))
        }
    }
}
