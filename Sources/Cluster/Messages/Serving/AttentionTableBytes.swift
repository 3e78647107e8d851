import Files
import Foundation
import LanguageModels

/// Reference rows as they travel to a gateway: what they are as JSON, their numbers as little-endian 32-bit floats.
public enum AttentionTableBytes {
    private static let kind = "attention"

    private struct Head: Codable {
        var digests: [String]
        var ids: [String]
        var labels: [Bool]
        var dimension: Int
        var shards: [Int]
        var adapters: [String]
    }

    /// Head, embeddings `[prompts, dimension]`, margins `[adapters, prompts]`.
    public static func payloads(_ table: AttentionTable) throws(WireError) -> [[UInt8]] {
        let head = Head(
            digests: table.digests, ids: table.ids, labels: table.labels, dimension: table.dimension,
            shards: table.rows.map(\.shard), adapters: table.rows.map(\.adapter))
        return [
            try WireJSON.encode(head, kind: kind), LittleEndianFloats.bytes(table.embeddings),
            LittleEndianFloats.bytes(table.rows.flatMap(\.margins)),
        ]
    }

    /// Names a table by its content.
    public static func digest(_ payloads: [[UInt8]]) -> String {
        sha256(payloads.flatMap { Array(sha256($0).utf8) })
    }

    /// - Throws: `WireError` for what is no table.
    public static func table(_ payloads: [[UInt8]]) throws(WireError) -> AttentionTable {
        guard payloads.count == 3 else {
            throw .invalidContent(kind: kind, reason: "\(payloads.count) payloads are no reference rows")
        }
        let head = try WireJSON.decode(
            Head.self, from: payloads[0], kind: kind, values: WireLimits.requestValues)
        let embeddings = try WirePayload.floats(payloads[1], kind: kind)
        let margins = try WirePayload.floats(payloads[2], kind: kind)
        let prompts = head.ids.count
        let (values, isTooMuch) = prompts.multipliedReportingOverflow(by: max(0, head.dimension))
        guard !isTooMuch, head.digests.count == prompts, head.labels.count == prompts, head.dimension >= 0,
            embeddings.count == values, head.shards.count == head.adapters.count,
            head.adapters.count <= WireLimits.shardCount.upperBound, margins.count == head.adapters.count * prompts
        else { throw .invalidContent(kind: kind, reason: "numbers and prompts do not fit together") }
        return AttentionTable(
            digests: head.digests, ids: head.ids, labels: head.labels, embeddings: embeddings,
            dimension: head.dimension,
            rows: zip(head.shards, head.adapters).enumerated().map { index, adapter in
                AttentionTable.Row(
                    shard: adapter.0, adapter: adapter.1,
                    margins: Array(margins[(index * prompts)..<((index + 1) * prompts)]))
            })
    }
}
