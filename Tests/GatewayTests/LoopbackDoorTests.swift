import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Testing

@testable import Gateway

@Suite("Whom a gateway without tokens answers")
struct LoopbackDoorTests {
    private let ends = SocketEnds(
        client: SocketEnd(address: [127, 0, 0, 1], port: 0xA2C4),
        gateway: SocketEnd(address: [127, 0, 0, 1], port: 8080))
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("door-\(UUID().uuidString)")
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// - Parameter line: the end of the client's line, from its user on.
    private func owners(_ line: String?, unmapped: UInt32? = nil) throws -> SocketOwners {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = folder.appendingPathComponent("tcp")
        let text = line.map { " 1: 0100007F:A2C4 0100007F:1F90 01 0:0 0:0 0 \($0)\n" } ?? "\n"
        try Data(("sl local_address rem_address st\n" + text).utf8).write(to: file)
        return SocketOwners(tables: [file.path, folder.appendingPathComponent("none").path], unmapped: unmapped)
    }

    private func refusal(_ line: String?, user: UInt32 = 1000) throws -> String? {
        let door = try LoopbackDoor(.owners(try owners(line)), user: user, logger: logger)
        defer { try? FileManager.default.removeItem(at: folder) }
        return door.refusal(of: nil, ends)?.name
    }

    @Test("Its own user and root are answered, nobody else is")
    func users() throws {
        #expect(try refusal("1000 0 22") == nil)
        #expect(try refusal("0 0 22") == nil)
        #expect(try refusal("1001 0 22") == "another-user")
        #expect(try refusal("1000 0 22", user: 0) == "another-user")
    }

    @Test("Of what is not in the table, or was closed already and looks like root's, nobody knows whose it is")
    func unknown() throws {
        #expect(try refusal(nil) == "unknown-user")
        #expect(try refusal("0 0 0") == "unknown-user")
        #expect(try refusal("1000 0 0") == "unknown-user")
        let door = try LoopbackDoor(.owners(try owners("1000 0 22")), user: 1000, logger: logger)
        #expect(door.refusal(of: nil, nil)?.name == "unknown-user")
        try FileManager.default.removeItem(at: folder)
        #expect(door.refusal(of: nil, ends)?.name == "unknown-user")
    }

    @Test("In a user namespace the id of those who have none there is nobody's, be it the gateway's own")
    func unmapped() throws {
        let line = "65534 0 22"
        defer { try? FileManager.default.removeItem(at: folder) }
        for (unmapped, expected) in [(nil, nil), (65_534, "unknown-user"), (7, nil)] as [(UInt32?, String?)] {
            let door = try LoopbackDoor(
                .owners(try owners(line, unmapped: unmapped)), user: 65_534, logger: logger)
            #expect(door.refusal(of: nil, ends)?.name == expected)
        }
        let whole = "         0          0 4294967295\n"
        #expect(SocketOwners.unmappedUser(map: whole, overflow: "65534\n") == nil)
        #expect(SocketOwners.unmappedUser(map: "0 100000 65536\n", overflow: "65533\n") == 65_533)
        #expect(SocketOwners.unmappedUser(map: "0 1000 1\n1 100000 65536\n", overflow: nil) == 65_534)
        #expect(SocketOwners.unmappedUser(map: nil, overflow: "no number") == 65_534)
    }

    @Test("Whose a connection is that nobody knew is looked up again, for the next request")
    func again() throws {
        let owners = try owners(nil)
        defer { try? FileManager.default.removeItem(at: folder) }
        let door = try LoopbackDoor(.owners(owners), user: 1000, logger: logger)
        let connection = ClientConnection()
        #expect(door.refusal(of: connection, ends)?.name == "unknown-user")
        _ = try self.owners("1000 0 22")
        #expect(door.refusal(of: connection, ends) == nil)
    }

    @Test("Whose a connection is, is looked up once")
    func once() throws {
        let door = try LoopbackDoor(.owners(try owners("1000 0 22")), user: 1000, logger: logger)
        let connection = ClientConnection()
        #expect(door.refusal(of: connection, ends) == nil)
        try FileManager.default.removeItem(at: folder)
        #expect(door.refusal(of: connection, ends) == nil)
        #expect(door.refusal(of: ClientConnection(), ends) != nil)
    }

    @Test(
        "Where nobody could be told from anybody it does not start, and says what to do; opened, it answers everybody")
    func untold() throws {
        let blind = SocketOwners(tables: ["/nonexistent/tcp"])
        #expect {
            try LoopbackDoor(.owners(blind), logger: logger)
        } throws: {
            let text = "\($0)"
            return $0 is GatewayError && text.contains("--tokens") && text.contains("--open-loopback")
        }
        #expect(try LoopbackDoor(.everybody, logger: logger).refusal(of: nil, nil) == nil)
        var options = GatewayOptions(listen: try ListenAddress(parsing: "http://127.0.0.1:8080"))
        options.opensLoopback = true
        try options.check()
        options.tokens = "t"
        #expect(throws: GatewayError.self) { try options.check() }
        options = GatewayOptions(listen: try ListenAddress(parsing: "http://0.0.0.0:8080"))
        options.opensLoopback = true
        #expect(throws: GatewayError.self) { try options.check() }
    }

    @Test("Another user gets nothing, not even where no token would be needed, and hears of the ways out")
    func everything() async throws {
        let gateway = try TestGateway(door: .owners(try owners("1 0 22")))
        defer { try? FileManager.default.removeItem(at: folder) }
        for path in ["/healthz", "/", "/openapi.json", "/v1/status", "/nothing"] {
            let head = HTTPRequest(method: .get, scheme: "http", authority: "localhost", path: path)
            let request = Request(head: head, body: RequestBody(buffer: ByteBuffer()))
            #expect(await gateway.responder.answer(request, over: nil, ends).status.code == 403, "\(path)")
            let told = try await gateway.ask(.get, path)
            #expect(told.status == 403 && told.problem == "unknown-user", "\(path)")
            for way in ["--tokens", "--open-loopback"] {
                #expect((told.json["detail"] as? String)?.contains(way) == true, "\(path)")
                #expect(Problem.anotherUser.detail.contains(way))
            }
        }
        let open = try TestGateway()
        #expect(try await open.ask(.get, "/v1/status").status == 200)
    }
}
