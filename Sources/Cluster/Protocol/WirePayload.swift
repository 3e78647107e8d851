import Foundation
import Recommendation
import Unlearning

/// Bulk data as bytes: prompts and manifests as JSON, numbers as little-endian 32-bit floats.
enum WirePayload {
    static func bytes(_ floats: [Float]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: floats.count * 4)
        bytes.withUnsafeMutableBytes { target in
            for (index, value) in floats.enumerated() {
                target.storeBytes(of: value.bitPattern.littleEndian, toByteOffset: index * 4, as: UInt32.self)
            }
        }
        return bytes
    }

    static func floats(_ bytes: [UInt8], kind: String) throws(WireError) -> [Float] {
        guard bytes.count % 4 == 0 else {
            throw .invalidContent(kind: kind, reason: "\(bytes.count) bytes are no 32-bit floats")
        }
        return bytes.withUnsafeBytes { source in
            (0..<(bytes.count / 4)).map {
                Float(bitPattern: UInt32(littleEndian: source.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)))
            }
        }
    }

    static func bytes(_ prompts: [TrainingPrompt], kind: String) throws(WireError) -> [UInt8] {
        try checkCount(prompts.count, kind: kind)
        return try WireJSON.encode(prompts, kind: kind)
    }

    static func prompts(_ bytes: [UInt8], kind: String) throws(WireError) -> [TrainingPrompt] {
        let prompts = try WireJSON.decode([TrainingPrompt].self, from: bytes, kind: kind)
        try checkCount(prompts.count, kind: kind)
        return prompts
    }

    static func bytes(_ request: InfluenceRequest, kind: String) throws(WireError) -> [UInt8] {
        try checkCount(request.direct.count + request.rebuilt.count + request.added.count, kind: kind)
        return try WireJSON.encode(request, kind: kind)
    }

    static func influenceRequest(_ bytes: [UInt8], kind: String) throws(WireError) -> InfluenceRequest {
        let request = try WireJSON.decode(InfluenceRequest.self, from: bytes, kind: kind)
        try checkCount(request.direct.count + request.rebuilt.count + request.added.count, kind: kind)
        guard request.rebuilt.allSatisfy({ $0.old.id == $0.new.id && (0...1).contains($0.forgottenShare) }) else {
            throw .invalidContent(kind: kind, reason: "a rebuilt prompt that is not the same one")
        }
        return request
    }

    static func bytes(_ manifest: ShardManifest, kind: String) throws(WireError) -> [UInt8] {
        try checkCount(manifest.entries.count, kind: kind)
        return try WireJSON.encode(manifest.entries, kind: kind)
    }

    static func manifest(_ bytes: [UInt8], kind: String) throws(WireError) -> ShardManifest {
        let entries = try WireJSON.decode([ShardManifest.Entry].self, from: bytes, kind: kind)
        try checkCount(entries.count, kind: kind)
        for (entry, next) in zip(entries, entries.dropFirst()) where entry.id >= next.id {
            throw .invalidContent(kind: kind, reason: "the manifest is not sorted, or names a prompt twice")
        }
        return ShardManifest(entries: entries)
    }

    static func checkComparison(_ bytes: Int, kind: String) throws(WireError) {
        guard bytes <= WireLimits.comparison else {
            throw .tooLarge(what: "\(kind): bytes", size: bytes, limit: WireLimits.comparison)
        }
    }

    static func checkHoldings(_ count: Int, kind: String) throws(WireError) {
        guard count <= WireLimits.holdings else {
            throw .tooLarge(what: "\(kind): shards", size: count, limit: WireLimits.holdings)
        }
    }

    /// A name that one side gives itself: a worker's id.
    static func checkName(_ name: String, kind: String) throws(WireError) {
        guard (1...WireLimits.name).contains(name.utf8.count) else {
            throw .tooLarge(what: "\(kind): name", size: name.utf8.count, limit: WireLimits.name)
        }
    }

    static func checkCount(_ count: Int, kind: String) throws(WireError) {
        guard count <= WireLimits.prompts else {
            throw .tooLarge(what: "\(kind): prompts", size: count, limit: WireLimits.prompts)
        }
    }
}

extension Envelope {
    /// A message whose body is the JSON of a value.
    init(
        _ kind: String, id: String = "", _ value: some Encodable, payloads: [[UInt8]] = []
    ) throws(WireError) {
        self.init(kind: kind, id: id, body: try WireJSON.encode(value, kind: kind), payloads: payloads)
    }

    func decode<Value: Decodable>(_ type: Value.Type, payloads count: Int = 0) throws(WireError) -> Value {
        try expectPayloads(count)
        return try WireJSON.decode(type, from: body, kind: kind)
    }

    func expectPayloads(_ count: Int) throws(WireError) {
        guard payloads.count == count else {
            throw .invalidContent(kind: kind, reason: "\(payloads.count) payloads instead of \(count)")
        }
    }
}
