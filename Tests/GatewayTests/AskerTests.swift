import Foundation
import Messages
import Testing

@testable import Gateway

@Suite("Whose a request is")
struct AskerTests {
    @Test("With tokens the token's, over however many connections, whatever is asked for")
    func tokens() async throws {
        let (shop, other) = (NewToken(role: .admin, name: "shop"), NewToken(role: .admin, name: "shop"))
        let coordinator = FakeCoordinator()
        let gateway = try TestGateway(coordinator, tokens: [shop, other].map(\.line).joined(separator: "\n"))
        let row = #"{"user":"u","item":"i","rating":5,"timestamp":1,"item_title":"Film"}"#
        let calls: [(String, String?, [String: String])] = [
            ("/v1/rank", #"{"user":"ada"}"#, [:]), ("/v1/score", #"{"user":"ada","items":["i1"]}"#, [:]),
            ("/v1/forget", #"{"user":"ada"}"#, [:]), ("/v1/requests", nil, [:]), ("/v1/adapters", nil, [:]),
            ("/v1/interactions", row + "\n", ["Content-Type": "application/x-ndjson"]),
        ]
        var askers: [Set<String>] = []
        for token in [shop, other] {
            coordinator.askers.withLock { $0 = [] }
            for (number, call) in calls.enumerated() {
                var headers = call.2
                headers["Authorization"] = "Bearer \(token.token)"
                let answer = try await gateway.ask(
                    call.1 == nil ? .get : .post, call.0, bytes: call.1.map { Array($0.utf8) }, headers: headers,
                    ends: ends(port: UInt16(4000 + number)))
                #expect([200, 202].contains(answer.status), "\(call.0): \(answer.json)")
            }
            askers.append(Set(coordinator.askers.withLock { $0 }))
        }
        #expect(askers.map(\.count) == [1, 1] && askers[0] != askers[1])
        #expect(!askers.joined().contains { $0.isEmpty || $0.contains("lethe_") || $0.contains("shop") })
    }

    @Test("Without tokens the connection's")
    func connections() async throws {
        let coordinator = FakeCoordinator()
        let gateway = try TestGateway(coordinator)
        for port in [4000, 4000, 4001] as [UInt16] {
            let body = Array(#"{"user":"ada"}"#.utf8)
            #expect(try await gateway.ask(.post, "/v1/rank", bytes: body, ends: ends(port: port)).status == 200)
        }
        let askers = coordinator.askers.withLock { $0 }
        #expect(askers.count == 3 && askers[0] == askers[1] && askers[1] != askers[2])
    }

    private func ends(port: UInt16) -> SocketEnds {
        SocketEnds(
            client: SocketEnd(address: [127, 0, 0, 1], port: port),
            gateway: SocketEnd(address: [127, 0, 0, 1], port: 8080))
    }
}
