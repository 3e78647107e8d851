import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Unlearning

/// What the release read in its own directory, in plain numbers and texts: no type of today's has a say in how it is read.
/// Times in milliseconds since 1970.
struct Before: Decodable {
    struct Shard: Decodable, Equatable {
        var index: Int
        var manifest: String
        var prompts: Int
        var adapter: String?
        var trainedManifest: String?
        var missingMargins: Int?
        var quarantined: Int64?
        var correction: String?
        var awaitsExact: Bool
        var corrections: Int?
    }

    struct Adapter: Decodable, Equatable {
        var shard: Int
        var name: String
        var manifest: String
        var prompts: Int
        var created: Int64
        var method: String
        var steps: Int
        var tokens: Int
        var seconds: Double
        var computeSeconds: Double
        var epochLosses: [Double]
        /// JSON: how it was corrected.
        var approximation: String?
        /// SHA-256 of the file.
        var digest: String
    }

    struct Request: Decodable, Equatable {
        var id: String
        var method: String
        var bridge: String?
        var received: Int64
        var finished: Int64?
        var counts: [String: Int]
        var shards: [Int]
        var waitingFor: [Int]
        var droppedAdapters: [String]
        /// What was signed, and the signature.
        var statement: String?
        var signature: Data?
        var stillWaitingFor: [Int]?
    }

    struct Table: Decodable {
        var columns: [String]
        var rows: Int
        /// SHA-256 of the rows, sorted, values as SQLite quotes them.
        var digest: String
    }

    struct Import: Decodable, Equatable {
        var rowsNew: Int
        var promptsAdded: Int
        var shardsChanged: [Int]
    }

    struct Rating: Decodable {
        var user: String
        var item: String
        var timestamp: Int64
        var rating: Double
        var ordinal: Int64
    }

    var tables: [String: Table]
    var cluster: String
    var publicKey: Data
    var configuration: String
    var promptConfiguration: String
    var users: Int
    var items: Int
    var interactions: Int
    var tokensPerSecond: Double?
    /// For each split: id, digest and shard of every prompt, in the ledger's order.
    var prompts: [String: [String]]
    var validationDigest: String
    var missingEmbeddings: Int
    var isTuned: Bool
    var trainingRequested: Bool
    var shards: [Shard]
    var adapters: [Adapter]
    var requests: [Request]
    /// For each entry: sequence, time, kind and hash.
    var audit: [String]
    /// SHA-256 of the validation prompts' embeddings and of each adapter's margins, as bytes of floats.
    var embeddings: String
    var margins: [String: String]
    var tau: Double?
    var neighbours: Int?
    var replies: [String: Data]
    /// Rows that must stay out.
    var forgotten: [Rating]
    /// The same, of a person whose identifier had a blank at its end.
    var forgottenWithBlanks: [Rating]
    /// The second batch of the import that is under way.
    var rest: [Rating]
    /// What that release made of the import next.
    var nextImport: Import?
    var nextShards: [Shard]?
}

// The same of what today's code reads.

extension Before.Shard {
    init(_ shard: LedgerSnapshot.Shard) {
        self.init(
            index: shard.index, manifest: shard.manifest, prompts: shard.prompts, adapter: shard.adapter?.name,
            trainedManifest: shard.adapter?.manifest, missingMargins: shard.adapter?.missingMargins,
            quarantined: shard.quarantinedSince?.milliseconds, correction: shard.correction?.rawValue,
            awaitsExact: shard.awaitsExact, corrections: shard.adapter?.corrected?.corrections)
    }
}

extension Before.Adapter {
    /// - Parameter bytes: of its file. How it was corrected is left out: its JSON is another one today.
    init(_ record: AdapterRecord, bytes: [UInt8]) throws {
        let report = record.report
        self.init(
            shard: record.shard, name: record.name, manifest: record.manifest, prompts: record.prompts,
            created: record.created.milliseconds, method: report.method.rawValue, steps: report.steps,
            tokens: report.tokens, seconds: report.seconds, computeSeconds: report.computeSeconds,
            epochLosses: report.epochLosses, digest: try LedgerFixture.contentName(bytes))
    }

    var withoutCorrection: Before.Adapter {
        var copy = self
        copy.approximation = nil
        return copy
    }
}

extension Before.Request {
    init(_ record: ForgetRecord, _ pending: [LedgerSnapshot.PendingForget]) throws {
        let (outcome, counts) = (record.outcome, record.outcome.counts)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        self.init(
            id: outcome.request, method: record.method.rawValue, bridge: record.bridge?.rawValue,
            received: outcome.received.milliseconds, finished: record.finished?.milliseconds,
            counts: [
                "users": counts.users, "interactions": counts.interactions, "deleted": counts.promptsDeleted.total,
                "rebuilt": counts.promptsRebuilt.total, "added": counts.promptsAdded.total,
            ], shards: outcome.shards, waitingFor: outcome.waitingFor, droppedAdapters: outcome.droppedAdapters,
            statement: try record.certificate.map {
                String(decoding: try encoder.encode($0.statement), as: UTF8.self)
            }, stillWaitingFor: pending.first { $0.id == outcome.request }?.waitingFor)
    }

    var withoutSignature: Before.Request {
        var copy = self
        copy.signature = nil
        return copy
    }
}

extension Interaction {
    init(_ row: Before.Rating) {
        self.init(user: row.user, item: row.item, timestamp: row.timestamp, rating: row.rating, ordinal: row.ordinal)
    }
}

extension Date {
    var milliseconds: Int64 { Int64((timeIntervalSince1970 * 1000).rounded()) }
}

extension [Float] {
    /// SHA-256 of its bytes, in hexadecimal.
    var digest: String {
        get throws { try LedgerFixture.contentName(withUnsafeBytes { [UInt8]($0) }) }
    }
}
