import Foundation
import HTTPTypes
import Messages
import Testing
import ZeroMQ

@testable import Gateway

@Suite("What holds the gateway's connections to the coordinator, and what does not wait for it")
struct ConnectionLanesTests {
    /// Imports and forget requests do not come to an end before it is told so; everything else is answered.
    private final class Hanging: Sendable {
        let isOver = Locked(false)
        let held = Locked(0)
    }

    private struct Connection: CoordinatorConnection {
        let hanging: Hanging

        func exchange(
            _ asking: CoordinatorDoor.Asking, isWanted: @escaping () -> Bool
        ) throws -> CoordinatorDoor.Answers {
            if let request = asking.requests.first, Self.hangs(request) {
                hanging.held.withLock { $0 += 1 }
                while !hanging.isOver.withLock({ $0 }), isWanted() { Thread.sleep(forTimeInterval: 0.002) }
            }
            return try asking.requests.map { try FakeReplies.any($0, asking.id) }
        }

        private static func hangs(_ request: ClientRequest) -> Bool {
            switch request {
            case .finishImport: true
            case .forget(let forget): !forget.dryRun
            default: false
            }
        }
    }

    private func wait(_ what: Comment, _ condition: @Sendable () -> Bool) async throws {
        for _ in 0..<6000 where !condition() { try await Task.sleep(for: .milliseconds(5)) }
        try #require(condition(), what)
    }

    @Test("With all imports being taken in and many forget requests waiting it is ready, answers, and forgets are seen")
    func ready() async throws {
        let hanging = Hanging()
        let limits = GatewayLimits()
        let pools = ConnectionPools(limits) { Connection(hanging: hanging) }
        let gateway = try TestGateway(through: pools.door(), limits: limits)
        let row = #"{"user":"u","item":"i","rating":5,"timestamp":1,"item_title":"Film"}"# + "\n"
        let held = (0..<limits.imports).map { number in
            // Of several who ask: nobody has all.
            let ends = SocketEnds(
                client: SocketEnd(address: [127, 0, 0, 1], port: UInt16(4000 + number)),
                gateway: SocketEnd(address: [127, 0, 0, 1], port: 8080))
            return Task {
                try await gateway.ask(
                    .post, "/v1/interactions", bytes: Array(row.utf8), headers: ["Content-Type": "application/jsonl"],
                    ends: ends)
            }
        }
        try await wait("imports are on their way") { hanging.held.withLock { $0 } == limits.imports }
        // Forget requests find a connection all the same; more than there are connections for wait for each other only.
        let forgets = (0..<limits.forgetConnections + 4).map { _ in
            Task { try await gateway.ask(.post, "/v1/forget", #"{"user":"ada"}"#) }
        }
        try await wait("forget requests are on their way") {
            hanging.held.withLock { $0 } == limits.imports + limits.forgetConnections
        }
        for path in ["/readyz", "/metrics", "/v1/status", "/v1/requests", "/v1/adapters"] {
            #expect(try await gateway.ask(.get, path).status == 200, "\(path)")
        }
        #expect(try await gateway.ask(.post, "/v1/rank", #"{"user":"ada"}"#).status == 200)
        #expect(try await gateway.ask(.post, "/v1/forget", #"{"user":"ada","dry_run":true}"#).status == 200)
        hanging.isOver.withLock { $0 = true }
        for task in held { #expect(try await task.value.status == 200) }
        for task in forgets { #expect(try await task.value.status == 202) }
        pools.stop()
    }
}
