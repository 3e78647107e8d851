import Client
import Foundation
import Messages
import Testing
import ZeroMQ

@Suite("A gateway's connection to a coordinator that is not the last")
struct SupersededServingLinkTests {
    /// Answers one request after the other.
    private final class Coordinator {
        let router: Socket
        let endpoint: String

        init() throws {
            router = try Socket(try Context(), .router, options: SocketOptions())
            endpoint = try router.bind("tcp://127.0.0.1:*")
        }

        func answer(_ reply: ClientReply) throws {
            _ = try Poller([.socket(router)]).wait(timeout: .seconds(30))
            let frames = try #require(try router.receive())
            let id = String(decoding: frames[4], as: UTF8.self)
            try router.send([frames[0]] + reply.frames(id: id))
        }
    }

    private func message(_ link: ServingLink) throws -> ServingLink.Message? {
        _ = try Poller([link.source]).wait(timeout: .seconds(30))
        return try link.receive()
    }

    @Test("One that says so of itself is left, and the right one is found at the same address")
    func says() throws {
        let coordinator = try Coordinator()
        let link = try ServingLink(endpoint: coordinator.endpoint)
        try link.send(.model, id: "1")
        try coordinator.answer(ClientReply(ClientError(code: .superseded, message: "two were started")))
        #expect(try message(link) == nil)
        try link.send(.model, id: "2")
        try coordinator.answer(try ClientReply("the model"))
        guard case .reply("2", .success)? = try message(link) else {
            Issue.record("the right one was not heard")
            return
        }
    }
}
