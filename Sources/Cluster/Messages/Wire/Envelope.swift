/// The frames of every message: empty, version (one byte), kind, id, JSON header, payload frames.
///
/// A ROUTER socket has the peer's identity in front of them. The header says how long each payload is; payloads are cut
/// into frames of at most 1 MB for the way, which libzmq moves fastest, so that no peer needs to accept larger ones.
public struct Envelope: Hashable, Sendable {
    public var kind: String
    /// Chosen by the sender of a request and repeated in the reply; empty otherwise.
    public var id: String
    /// A JSON object.
    public var body: [UInt8]
    public var payloads: [[UInt8]]

    public init(kind: String, id: String = "", body: [UInt8] = Array("{}".utf8), payloads: [[UInt8]] = []) {
        self.kind = kind
        self.id = id
        self.body = body
        self.payloads = payloads
    }

    /// - Parameter limit: bytes that the other side takes.
    /// - Throws: `tooLarge` for what the other side would refuse.
    public func frames(limit: Int = WireLimits.message) throws(WireError) -> [[UInt8]] {
        try Self.check("kind", kind.utf8.count, WireLimits.name)
        try Self.check("id", id.utf8.count, WireLimits.name)
        try Self.check("payloads", payloads.count, WireLimits.payloads)
        let lengths = payloads.map { String($0.count) }.joined(separator: ",")
        let header = Array("{\"body\":".utf8) + body + Array(",\"payloads\":[\(lengths)]}".utf8)
        try Self.check("header", header.count, WireLimits.header)
        var frames: [[UInt8]] = [[], [WireLimits.version], Array(kind.utf8), Array(id.utf8), header]
        for payload in payloads {
            if payload.count <= WireLimits.payloadFrame {
                if !payload.isEmpty { frames.append(payload) }
                continue
            }
            for start in stride(from: 0, to: payload.count, by: WireLimits.payloadFrame) {
                frames.append(Array(payload[start..<min(start + WireLimits.payloadFrame, payload.count)]))
            }
        }
        try Self.check("frames", frames.count, WireLimits.frames)
        try Self.check("message", frames.reduce(0) { $0 + $1.count }, limit)
        return frames
    }

    /// - Parameter frames: as received, without a routing identity.
    public init(frames: [[UInt8]]) throws(WireError) {
        try Self.check("frames", frames.count, WireLimits.frames)
        guard frames.count >= 2, frames[0].isEmpty, frames[1].count == 1 else {
            throw .malformed(reason: "no empty frame and version in front")
        }
        guard frames[1][0] == WireLimits.version else { throw .unsupportedVersion(frames[1][0]) }
        guard frames.count >= 5 else { throw .malformed(reason: "only \(frames.count) frames") }
        try Self.check("kind", frames[2].count, WireLimits.name)
        try Self.check("id", frames[3].count, WireLimits.name)
        try Self.check("header", frames[4].count, WireLimits.header)
        guard let kind = String(validating: frames[2], as: UTF8.self),
            let id = String(validating: frames[3], as: UTF8.self)
        else { throw .malformed(reason: "kind or id are no text") }
        let (body, lengths) = try Self.split(header: frames[4])
        try Self.check("payloads", lengths.count, WireLimits.payloads)
        self.init(kind: kind, id: id, body: body, payloads: try Self.join(frames[5...], lengths: lengths))
    }

    /// The header is `{"body":…,"payloads":[…]}`; the body's bytes are kept as they are.
    private static func split(header: [UInt8]) throws(WireError) -> (body: [UInt8], lengths: [Int]) {
        let head = Array("{\"body\":".utf8)
        let middle = Array(",\"payloads\":[".utf8)
        let tail = Array("]}".utf8)
        guard header.starts(with: head), header.count >= head.count + middle.count + tail.count,
            header.suffix(tail.count).elementsEqual(tail)
        else { throw .malformed(reason: "the header is not of the agreed form") }
        // The list of lengths holds digits and commas only, so the last opening bracket starts it.
        guard let bracket = header.lastIndex(of: UInt8(ascii: "[")), bracket + 1 >= head.count + middle.count,
            header[(bracket + 1 - middle.count)...bracket].elementsEqual(middle)
        else { throw .malformed(reason: "the header has no list of payloads") }
        var lengths: [Int] = []
        let list = header[(bracket + 1)..<(header.count - tail.count)]
        for field in list.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) where !list.isEmpty {
            guard let text = String(validating: field, as: UTF8.self), field.allSatisfy({ (48...57).contains($0) }),
                let length = Int(text), length <= WireLimits.workerMessage
            else { throw .malformed(reason: "the header's list of payloads is no list of lengths") }
            lengths.append(length)
        }
        return (Array(header[head.count..<(bracket + 1 - middle.count)]), lengths)
    }

    private static func join(_ frames: ArraySlice<[UInt8]>, lengths: [Int]) throws(WireError) -> [[UInt8]] {
        var frames = frames
        var payloads: [[UInt8]] = []
        for length in lengths {
            var payload: [UInt8] = []
            while payload.count < length {
                // Cut in one way only, so that equal messages have equal frames.
                let expected = min(length - payload.count, WireLimits.payloadFrame)
                guard let next = frames.popFirst(), next.count == expected else {
                    throw .malformed(reason: "payload frames do not add up to the lengths in the header")
                }
                if payload.isEmpty { payload = next } else { payload += next }
            }
            payloads.append(payload)
        }
        guard frames.isEmpty else { throw .malformed(reason: "more payload frames than the header says") }
        return payloads
    }

    private static func check(_ what: String, _ size: Int, _ limit: Int) throws(WireError) {
        guard size <= limit else { throw .tooLarge(what: what, size: size, limit: limit) }
    }
}
