import Foundation

/// What the coordinator's ROUTER socket receives. A peer that says hello is a worker; every other is a client.
public enum PeerMessage: Sendable, Equatable {
    case worker(WorkerMessage)
    /// The id names the request: repeating it must return the stored reply.
    case request(id: String, ClientRequest)

    /// - Parameter frames: as a ROUTER socket gives them, without the routing identity.
    public init(frames: [[UInt8]]) throws(WireError) {
        let envelope = try Envelope(frames: frames)
        guard envelope.kind == "request" else {
            self = .worker(try WorkerMessage(envelope))
            return
        }
        try Self.check(envelope.id, of: "a request")
        try envelope.expectPayloads(1)
        try ClientRequest.checkSize(envelope.payloads[0])
        let request = try WireJSON.decode(
            ClientRequest.self, from: envelope.payloads[0], kind: "request", values: WireLimits.requestValues)
        switch request {
        case .importRows(let rows): try Self.check(rows.importID, of: "an import")
        case .finishImport(let finish): try Self.check(finish.importID, of: "an import")
        case .dropImport(let id): try Self.check(id, of: "an import")
        default: break
        }
        try WireNumbers(kind: "request").check(request)
        self = .request(id: envelope.id, request)
    }

    /// The id of a request as its client sent it, whether or not it is one: an error must find its way back.
    ///
    /// - Parameter frames: as a ROUTER socket gives them, without the routing identity.
    /// - Returns: nil when they are no request.
    package static func requestID(of frames: [[UInt8]]) -> [UInt8]? {
        guard frames.count >= 4, frames[0].isEmpty, frames[1] == [WireLimits.version],
            frames[2] == Array("request".utf8)
        else { return nil }
        return frames[3]
    }

    private static func check(_ name: String, of what: String) throws(WireError) {
        if let objection = ClientName.objection(to: name, of: what) {
            throw .invalidContent(kind: "request", reason: objection)
        }
    }
}
