import Foundation
import HTTPTypes
import Hummingbird
import Messages
import NIOCore
import Recommendation
import Testing
import ZeroMQ

@testable import Gateway

@Suite("Imports over HTTP")
struct InteractionsTests {
    private static let kind = ["Content-Type": "application/x-ndjson"]

    private static func lines(_ count: Int) -> String {
        (0..<count).map { number in
            #"{"user":"u\#(number % 50)","item":"i\#(number % 9)","rating":5,"timestamp":\#(number),"item_title":"Film \#(number % 9)"}"#
                + "\n"
        }.joined()
    }

    @Test("Lines go in as an import's batches; what cannot be read is counted and named")
    func lines() async throws {
        let coordinator = FakeCoordinator()
        let body = Self.lines(9000) + "nonsense\n"
        let answer = try await TestGateway(coordinator).ask(
            .post, "/v1/interactions?time_unit=seconds", body, headers: Self.kind)
        #expect(answer.status == 200, "\(answer.json)")
        #expect(answer.json["rows_kept"] as? Int == 9000 && answer.json["rows_refused"] as? Int == 1)
        #expect((answer.json["refused"] as? [[String: Any]])?.first?["line"] as? Int == 9001)
        var (rows, imports, finished): (Int, Set<String>, [ClientRequest.FinishImport]) = (0, [], [])
        for request in coordinator.requests {
            switch request {
            case .importRows(let batch):
                rows += batch.interactions.count
                imports.insert(batch.importID)
            case .finishImport(let finish): finished.append(finish)
            case .configuration: break
            default: Issue.record("\(request)")
            }
        }
        #expect(rows == 9000 && imports.count == 1 && finished.map(\.importID) == Array(imports))
        #expect(finished.first?.batches == coordinator.requests.count - 2 && finished.first?.given == [])
    }

    @Test("Any noun may be what items are called, and a recorded template's fields are read")
    func words() async throws {
        let coordinator = FakeCoordinator { request, id in
            guard case .configuration = request else { return try FakeReplies.any(request, id) }
            let template = try PromptWording(json: Data(#"{"item": "{title}[ ({year})]"}"#.utf8))
            return .success(
                try ReplyCoding.encode(
                    ConfigurationReply(
                        effective: CoordinatorConfiguration(), recorded: CoordinatorConfiguration(), cluster: "c1",
                        prompts: PromptConfiguration(template: template))))
        }
        let lines = #"{"item": "L1", "title": "Ada", "year": 1961}"# + "\n" + Self.lines(3)
        let answer = try await TestGateway(coordinator).ask(
            .post, "/v1/interactions?domain=lamp:lamps", lines, headers: Self.kind)
        #expect(answer.status == 200, "\(answer.json)")
        var (fields, finish): ([String: String]?, ClientRequest.FinishImport?) = (nil, nil)
        for request in coordinator.requests {
            if case .importRows(let batch) = request {
                for item in batch.items where item.id == "L1" { fields = item.fields }
            }
            if case .finishImport(let asked) = request { finish = asked }
        }
        #expect(fields == ["year": "1961"])
        #expect(finish?.prompts.domain.singular == "lamp" && finish?.given == [.domain])
    }

    @Test("The same lines under a key are the same import to the coordinator, others are another one")
    func repeated() async throws {
        let coordinator = FakeCoordinator()
        let gateway = try TestGateway(coordinator)
        func name(_ lines: Int, key: String, query: String = "") async throws -> String? {
            let answer = try await gateway.ask(
                .post, "/v1/interactions" + query, Self.lines(lines),
                headers: Self.kind.merging(["Idempotency-Key": key]) { $1 })
            #expect(answer.status == 200)
            return coordinator.asked.withLock { $0 }.last?.id
        }
        let first = try #require(try await name(3, key: "day-1"))
        #expect(try await name(3, key: "day-1") == first)
        for other in [
            try await name(4, key: "day-1"), try await name(3, key: "day-2"),
            try await name(3, key: "day-1", query: "?history=3"),
            try await name(3, key: "day-1", query: "?time_unit=seconds"),
        ] {
            #expect(other != first && other?.count == 64)
        }
    }

    @Test(
        "What is packed is seen whatever the pieces it comes in",
        arguments: [[0x1f, 0x8b, 8, 0], [0x28, 0xb5, 0x2f, 0xfd, 0], [0x50, 0x2a, 0x4d, 0x18, 0]] as [[UInt8]])
    func pieces(beginning: [UInt8]) async throws {
        let coordinator = FakeCoordinator()
        let gateway = try TestGateway(coordinator)
        var head = HTTPRequest(method: .post, scheme: "http", authority: "localhost", path: "/v1/interactions")
        head.headerFields[.contentType] = "application/x-ndjson"
        let (chunks, sender) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
        for byte in beginning { sender.yield(ByteBuffer(bytes: [byte])) }
        sender.finish()
        let answer = await gateway.responder.answer(
            Request(head: head, body: RequestBody(asyncSequence: chunks)), over: nil)
        #expect(answer.status.code == 415)
    }

    @Test("A line of an item without a title is refused with words that say whose title is missing")
    func untitled() async throws {
        let gateway = try TestGateway()
        let line = #"{"user":"z1","item":"i1","rating":5,"timestamp":99}"# + "\n"
        let answer = try await gateway.ask(.post, "/v1/interactions", line, headers: Self.kind)
        #expect(answer.status == 422)
        let detail = answer.json["detail"] as? String ?? ""
        #expect(detail.contains("line 1: item i1 has no title: this import names none"), "\(answer.json)")
    }

    @Test("A body that gives nothing, is too large, packed or of another kind does nothing")
    func refused() async throws {
        var limits = GatewayLimits()
        limits.importBody = 100_000
        let coordinator = FakeCoordinator()
        let gateway = try TestGateway(coordinator, limits: limits)
        func status(_ bytes: [UInt8], _ headers: [String: String] = Self.kind, query: String = "") async throws -> Int {
            try await gateway.ask(.post, "/v1/interactions" + query, bytes: bytes, headers: headers).status
        }
        #expect(try await status([]) == 422)
        #expect(try await status(Array("one\ntwo\n".utf8)) == 422)
        #expect(try await status([0x1f, 0x8b, 8, 0]) == 415)
        #expect(try await status([0x28, 0xb5, 0x2f, 0xfd, 0]) == 415)
        #expect(try await status(Array(Self.lines(3).utf8), ["Content-Type": "application/json"]) == 415)
        #expect(try await status(Array(Self.lines(3).utf8), query: "?domain=lamp%0A") == 400)
        #expect(try await status(Array(Self.lines(3).utf8), query: "?like_above=nan") == 400)
        #expect(try await status(Array(Self.lines(3).utf8), query: "?new_data=first") == 400)
        #expect(try await status(Array(Self.lines(5000).utf8)) == 413)
        #expect(!coordinator.requests.contains { if case .finishImport = $0 { true } else { false } })
    }

    @Test("A body that breaks off is not imported, and imports beyond the limit wait for nobody")
    func broken() async throws {
        struct Broken: Error {}
        let coordinator = FakeCoordinator()
        var limits = GatewayLimits()
        limits.imports = 1
        let gateway = try TestGateway(coordinator, limits: limits)
        var head = HTTPRequest(method: .post, scheme: "http", authority: "localhost", path: "/v1/interactions")
        head.headerFields[.contentType] = "application/x-ndjson"
        let (chunks, sender) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
        let request = Request(head: head, body: RequestBody(asyncSequence: chunks))
        let answer = Task { await gateway.responder.answer(request, over: nil).status.code }
        sender.yield(ByteBuffer(string: Self.lines(5000)))
        for _ in 0..<2000 where coordinator.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        let second = try await gateway.ask(.post, "/v1/interactions", Self.lines(3), headers: Self.kind)
        #expect(second.status == 429)
        sender.finish(throwing: Broken())
        #expect(await answer.value == 400)
        #expect(!coordinator.requests.contains { if case .finishImport = $0 { true } else { false } })
        #expect(try await gateway.ask(.post, "/v1/interactions", Self.lines(3), headers: Self.kind).status == 200)
    }

    @Test("One token's imports leave a place for another's, over however many connections they come")
    func places() async throws {
        let (flood, other) = (NewToken(role: .data, name: "flood"), NewToken(role: .data, name: "other"))
        let coordinator = FakeCoordinator()
        var limits = GatewayLimits()
        limits.imports = 2
        let gateway = try TestGateway(
            coordinator, tokens: [flood, other].map(\.line).joined(separator: "\n"), limits: limits)
        func status(_ token: NewToken) async throws -> Int {
            var headers = Self.kind
            headers["Authorization"] = "Bearer \(token.token)"
            return try await gateway.ask(.post, "/v1/interactions", Self.lines(3), headers: headers).status
        }
        var head = HTTPRequest(method: .post, scheme: "http", authority: "localhost", path: "/v1/interactions")
        head.headerFields[.contentType] = "application/x-ndjson"
        head.headerFields[.authorization] = "Bearer \(flood.token)"
        let (chunks, sender) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
        let request = Request(head: head, body: RequestBody(asyncSequence: chunks))
        let slow = Task { await gateway.responder.answer(request, over: nil).status.code }
        sender.yield(ByteBuffer(string: Self.lines(5000)))
        for _ in 0..<2000 where coordinator.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        #expect(try await status(flood) == 429)
        #expect(try await status(other) == 200)
        sender.finish()
        #expect(await slow.value == 200)
        #expect(try await status(flood) == 200)
    }

    @Test("A bounded number is given out to several, never all of it to one, except where there is only one")
    func slots() {
        let slots = Slots(3)
        #expect(slots.take(for: "a") && slots.take(for: "a") && !slots.take(for: "a"))
        #expect(slots.take(for: "b") && !slots.take(for: "b") && !slots.take(for: "c"))
        slots.give(for: "a")
        #expect(slots.take(for: "c"))
        slots.give(for: "b")
        #expect(slots.take(for: "a") && !slots.take(for: "b"))
        let one = Slots(1)
        #expect(one.take(for: "a") && !one.take(for: "b"))
    }
}
