import Foundation
import HTTPTypes
import Hummingbird
import Messages
import NIOCore
import Testing

@testable import Gateway

@Suite("Imports over HTTP that come to no end")
struct DroppedImportTests {
    private static let kind = ["Content-Type": "application/x-ndjson"]

    private static func lines(_ count: Int) -> String {
        (0..<count).map { #"{"user":"u\#($0)","item":"i1","rating":5,"timestamp":\#($0),"item_title":"Film"}"# + "\n" }
            .joined()
    }

    /// Ids of the imports that rows were sent of, and of those that were given up.
    private func imports(_ coordinator: FakeCoordinator) -> (sent: Set<String>, dropped: [String]) {
        var (sent, dropped): (Set<String>, [String]) = ([], [])
        for request in coordinator.requests {
            switch request {
            case .importRows(let rows): sent.insert(rows.importID)
            case .dropImport(let id): dropped.append(id)
            default: break
            }
        }
        return (sent, dropped)
    }

    /// Sends lines, waits until some have gone on to the coordinator, and ends with `last`.
    private func status(
        _ coordinator: FakeCoordinator, limits: GatewayLimits = GatewayLimits(),
        last: (AsyncThrowingStream<ByteBuffer, any Error>.Continuation) -> Void
    ) async throws -> Int {
        let gateway = try TestGateway(coordinator, limits: limits)
        var head = HTTPRequest(method: .post, scheme: "http", authority: "localhost", path: "/v1/interactions")
        head.headerFields[.contentType] = "application/x-ndjson"
        let (chunks, sender) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
        let request = Request(head: head, body: RequestBody(asyncSequence: chunks))
        let answer = Task { await gateway.responder.answer(request, over: nil).status.code }
        sender.yield(ByteBuffer(string: Self.lines(9000)))
        for _ in 0..<2000 where imports(coordinator).sent.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        last(sender)
        return await answer.value
    }

    @Test("Whose client vanishes, what was sent of it is dropped at the coordinator")
    func vanished() async throws {
        struct Vanished: Error {}
        let coordinator = FakeCoordinator()
        #expect(try await status(coordinator) { $0.finish(throwing: Vanished()) } == 400)
        let (sent, dropped) = imports(coordinator)
        #expect(sent.count == 1 && dropped == Array(sent))
    }

    @Test("One that is too large, or that the coordinator refuses, is dropped too; the client hears the first reason")
    func refused() async throws {
        var limits = GatewayLimits()
        limits.importBody = 1_000_000
        let large = FakeCoordinator()
        let refused = try await status(large, limits: limits) { sender in
            sender.yield(ByteBuffer(string: Self.lines(9000)))
            sender.finish()
        }
        #expect(refused == 413)
        #expect(imports(large).dropped == Array(imports(large).sent) && imports(large).dropped.count == 1)
        for (isFinish, code, drops) in [
            (false, ErrorCode.failed, 1), (true, .promptsDiffer, 1), (true, .diskFull, 1), (true, .unreachable, 0),
        ] {
            let coordinator = FakeCoordinator { request, id in
                let isRefused =
                    switch request {
                    case .importRows: !isFinish
                    case .finishImport: isFinish
                    default: false
                    }
                return isRefused ? .failure(ClientError(code: code, message: "no")) : try FakeReplies.any(request, id)
            }
            let answer = try await TestGateway(coordinator).ask(
                .post, "/v1/interactions", Self.lines(5), headers: Self.kind)
            #expect(answer.problem == code.rawValue)
            // What may be finished all the same is left alone.
            #expect(imports(coordinator).dropped.count == drops, "\(code)")
        }
    }

    @Test("What was finished, and what nothing was sent of, is not dropped")
    func finished() async throws {
        let coordinator = FakeCoordinator()
        let gateway = try TestGateway(coordinator)
        #expect(try await gateway.ask(.post, "/v1/interactions", Self.lines(5), headers: Self.kind).status == 200)
        #expect(try await gateway.ask(.post, "/v1/interactions", "nonsense\n", headers: Self.kind).status == 422)
        #expect(imports(coordinator).dropped.isEmpty && imports(coordinator).sent.count == 1)
    }
}
