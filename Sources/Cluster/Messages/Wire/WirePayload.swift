import Files
import Foundation
import Recommendation
import Unlearning

/// Bulk data as bytes: prompts and manifests as JSON, numbers as little-endian 32-bit floats.
enum WirePayload {
    package static func floats(_ bytes: [UInt8], kind: String) throws(WireError) -> [Float] {
        guard let floats = LittleEndianFloats.floats(bytes) else {
            throw .invalidContent(kind: kind, reason: "\(bytes.count) bytes are no 32-bit floats")
        }
        return floats
    }

    package static func bytes(_ prompts: [TrainingPrompt], kind: String) throws(WireError) -> [UInt8] {
        try checkCount(prompts.count, kind: kind)
        return try WireJSON.encode(TrainingPromptList(prompts), kind: kind)
    }

    package static func prompts(_ bytes: [UInt8], kind: String) throws(WireError) -> [TrainingPrompt] {
        let prompts = try WireJSON.decode(TrainingPromptList.self, from: bytes, kind: kind).prompts
        try checkCount(prompts.count, kind: kind)
        return prompts
    }

    package static func bytes(_ request: InfluenceRequest, kind: String) throws(WireError) -> [UInt8] {
        try checkCount(request.direct.count + request.rebuilt.count + request.added.count, kind: kind)
        return try WireJSON.encode(request, kind: kind)
    }

    package static func influenceRequest(_ bytes: [UInt8], kind: String) throws(WireError) -> InfluenceRequest {
        let request = try WireJSON.decode(InfluenceRequest.self, from: bytes, kind: kind)
        try checkCount(request.direct.count + request.rebuilt.count + request.added.count, kind: kind)
        guard request.rebuilt.allSatisfy({ $0.old.id == $0.new.id && (0...1).contains($0.forgottenShare) }) else {
            throw .invalidContent(kind: kind, reason: "a rebuilt prompt that is not the same one")
        }
        return request
    }

    package static func bytes(_ manifest: ShardManifest, kind: String) throws(WireError) -> [UInt8] {
        try checkCount(manifest.entries.count, kind: kind)
        return try WireJSON.encode(manifest.entries, kind: kind)
    }

    package static func manifest(_ bytes: [UInt8], kind: String) throws(WireError) -> ShardManifest {
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

    package static func checkCopies(_ count: Int, kind: String) throws(WireError) {
        guard count <= WireLimits.copies else {
            throw .tooLarge(what: "\(kind): shards", size: count, limit: WireLimits.copies)
        }
    }

    /// A name that one side gives itself: a worker's id.
    static func checkName(_ name: String, kind: String) throws(WireError) {
        guard (1...WireLimits.name).contains(name.utf8.count) else {
            throw .tooLarge(what: "\(kind): name", size: name.utf8.count, limit: WireLimits.name)
        }
    }

    /// Content names of a mixture's adapters.
    static func checkNames(_ names: [String], kind: String) throws(WireError) {
        guard names.count <= WireLimits.shardCount.upperBound else {
            throw .tooLarge(what: "\(kind): adapters", size: names.count, limit: WireLimits.shardCount.upperBound)
        }
        for name in names { try checkName(name, kind: kind) }
    }

    static func checkCount(_ count: Int, kind: String) throws(WireError) {
        guard count <= WireLimits.prompts else {
            throw .tooLarge(what: "\(kind): prompts", size: count, limit: WireLimits.prompts)
        }
    }
}

extension Envelope {
    /// A message whose body is the JSON of a value.
    package init(
        _ kind: String, id: String = "", _ value: some Encodable, payloads: [[UInt8]] = []
    ) throws(WireError) {
        self.init(kind: kind, id: id, body: try WireJSON.encode(value, kind: kind), payloads: payloads)
    }

    package func decode<Value: Decodable>(_ type: Value.Type, payloads count: Int = 0) throws(WireError) -> Value {
        try expectPayloads(count)
        return try WireJSON.decode(type, from: body, kind: kind)
    }

    func expectPayloads(_ count: Int) throws(WireError) {
        guard payloads.count == count else {
            throw .invalidContent(kind: kind, reason: "\(payloads.count) payloads instead of \(count)")
        }
    }
}
