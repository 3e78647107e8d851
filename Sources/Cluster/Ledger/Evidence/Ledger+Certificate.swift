import Crypto
import Files
import Foundation
import GRDB
import Messages
import Recommendation
import Unlearning

extension Ledger {
    /// Closes the request and signs its certificate; the same certificate again if it is closed already.
    ///
    /// - `checks`: second trainings of the request's shards.
    /// - `arithmetic`: fingerprint of the arithmetic that every worker has; nil: not known.
    /// - Throws: `LedgerError.requestUnfinished`, `.unknownRequest`; what `purge` throws, when traces of the data could
    ///   not be removed from the files before.
    package func finishForget(
        request id: String, checks: [DoubleCheck] = [], arithmetic: String? = nil, at time: Date
    ) throws -> Certificate {
        try purge(before: [id])
        return try commit { db in
            guard let row = try Row.fetchOne(db, sql: "SELECT * FROM forget_requests WHERE id = ?", arguments: [id])
            else { throw LedgerError.unknownRequest(id: id) }
            let record = try ForgetRecord(row: row)
            if let certificate = record.certificate { return certificate }
            let number: Int64 = try row.value("number", in: "forget_requests")
            let waiting = try waitingShards(request: number, db)
            guard waiting.isEmpty else { throw LedgerError.requestUnfinished(id: id, waitingFor: waiting) }
            let shards = try certificateShards(request: number, db)
            let certificate = try Certificate(
                statement: Certificate.Statement(
                    version: Certificate.Statement.currentVersion, cluster: cluster, request: id,
                    method: record.method, bridge: record.bridge, received: record.outcome.received.iso8601,
                    finished: time.stored.iso8601, counts: record.outcome.counts, shards: shards,
                    doubleChecks: checks, unconfirmed: try UnconfirmedCopy.all(ofRequest: number, db),
                    copiesRecordedSince: try copiesRecordedSince(db),
                    exactness: try exactness(of: shards, db), specification: try digest(of: configuration.training),
                    arithmetic: arithmetic, auditHead: row.hash("audit", in: "forget_requests"),
                    auditHeadAtFinish: try auditHead(db)),
                signedBy: signingKey)
            try db.execute(
                sql: "UPDATE forget_requests SET finished = ? WHERE number = ?",
                arguments: [time.milliseconds, number])
            try ClosedRequest(outcome: record.outcome, certificate: certificate).store(inRequest: number, db)
            for shard in shards { try close(shard, request: number, db) }
            let detail = [
                "request": Ledger.auditName(ofRequest: id), "certificate": certificate.jws.digest,
            ]
            try audit(db, "finish", detail, at: time)
            return certificate
        }
    }

    /// What is wrong with a finished request's evidence, one line each, for people; empty: nothing. Its certificate and
    /// supplements must be signed by this cluster, be about this request, and name entries of the audit log.
    package func evidenceFindings(of record: ForgetRecord) throws -> [String] {
        guard let certificate = record.certificate else { return [] }
        let id = record.outcome.request
        var findings: [String] = []
        if !certificate.verify(publicKey: publicKey) || certificate.publicKey != publicKey {
            findings.append("the certificate's signature is not this cluster's")
        }
        if certificate.statement.request != id || certificate.statement.cluster ?? cluster != cluster {
            findings.append("the certificate is another request's")
        }
        return try read { db in
            func entry(_ hash: String) throws -> String? {
                try String.fetchOne(
                    db, sql: "SELECT kind FROM audit WHERE hash IN (?, ?)", arguments: [StoredHash.value(hash), hash])
            }
            if try entry(certificate.statement.auditHead) != "forget" {
                findings.append("the audit log has no entry for the acknowledgement that the certificate names")
            }
            if let head = certificate.statement.auditHeadAtFinish, try entry(head) == nil {
                findings.append("the audit log has no entry for the end that the certificate names")
            }
            for supplement in try Supplement.all(ofRequest: id, db, at: database.path) {
                let statement = supplement.statement
                if !supplement.verify(publicKey: publicKey) || statement.request != id
                    || statement.certificate != certificate.jws.digest
                {
                    findings.append("a supplement is not this cluster's, or another certificate's")
                } else if try entry(statement.auditHead) == nil {
                    findings.append("the audit log has no entry for a supplement")
                } else if case .disputed(let adapter) = statement.finding {
                    findings.append("a second training disputed adapter \(adapter.adapter) of shard \(adapter.shard)")
                }
            }
            return findings
        }
    }

    /// Oldest first.
    package func forgetRequests() throws -> [ForgetRecord] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM forget_requests ORDER BY number").map(ForgetRecord.init(row:))
        }
    }

    /// nil: no such request.
    package func forgetRequest(_ id: String) throws -> ForgetRecord? {
        try read { db in
            try Row.fetchOne(db, sql: "SELECT * FROM forget_requests WHERE id = ?", arguments: [id])
                .map(ForgetRecord.init(row:))
        }
    }

    /// nil: every copy is on record.
    private func copiesRecordedSince(_ db: Database) throws -> String? {
        try Meta.copiesSince.value(Int64.self, db).map {
            Date(timeIntervalSince1970: Double(min(max($0, 0), 1 << 40))).iso8601
        }
    }

    private func auditHead(_ db: Database) throws -> String? {
        try Row.fetchOne(db, sql: "SELECT hash FROM audit ORDER BY sequence DESC LIMIT 1")?.hash("hash", in: "audit")
    }

    /// SHA-256, in hexadecimal, of the specification as JSON with sorted keys.
    package func digest(of specification: TrainingSpecification) throws -> String {
        try Self.digest(of: specification)
    }

    package static func digest(of specification: TrainingSpecification) throws -> String {
        SHA256.hash(data: try JSONEncoder.stable.encode(specification)).hexadecimal
    }

    private func certificateShards(request: Int64, _ db: Database) throws -> [Certificate.Shard] {
        let table = "forget_shards"
        return try Row.fetchAll(
            db, sql: "SELECT * FROM forget_shards WHERE request = ? ORDER BY shard", arguments: [request]
        ).map { row in
            Certificate.Shard(
                index: try row.value("shard", in: table), oldAdapter: try row.optional("old_adapter", in: table),
                oldManifest: try row.value("old_manifest", in: table),
                newAdapter: try row.optional("new_adapter", in: table),
                newManifest: try row.value("new_manifest", in: table),
                correction: try row.optionalJSON("approximation", in: table),
                fallback: try row.optionalChoice("fallback", in: table),
                training: try row.optionalJSON("training", in: table),
                meanwhile: try row.optionalJSON("meanwhile", in: table))
        }
    }

    /// Of a shard of a finished request the certificate says everything; what is asked for later is which requests rest on an
    /// adapter (`quarantine`).
    private func close(_ shard: Certificate.Shard, request: Int64, _ db: Database) throws {
        try db.execute(
            sql: """
                UPDATE forget_shards SET new_adapter = ?, old_adapter = NULL, old_manifest = '', new_manifest = NULL,
                approximation = NULL, fallback = NULL, training = NULL, meanwhile = NULL WHERE request = ? AND shard = ?
                """, arguments: [shard.newAdapter.map(StoredHash.value), request, shard.index])
    }

    /// Approximate as soon as one shard is: whoever reads only the first word is not misled.
    private func exactness(of shards: [Certificate.Shard], _ db: Database) throws -> String {
        let corrected = shards.compactMap { shard in shard.correction.map { (shard.index, $0) } }
        var sentences: [String] = []
        if !corrected.isEmpty {
            let list = corrected.map { shard, correction in
                "shard \(shard) by \(correction.method.rawValue) (corrections since its last training: "
                    + "\(correction.corrections))"
            }.joined(separator: ", ")
            sentences.append(
                "approximate: adapters were corrected, not trained anew: \(list); what was measured of it stands with each "
                    + "shard, more is not claimed, and it cannot be verified by replay")
        }
        if corrected.isEmpty {
            sentences.append(try exactness(db))
        } else if corrected.count < shards.count {
            sentences.append("of the other shards: " + (try exactness(db)))
        }
        sentences += shards.compactMap { shard in
            shard.fallback.map { "shard \(shard.index) was retrained instead of corrected: \($0.description)" }
        }
        return sentences.joined(separator: "; ")
    }

    private func exactness(_ db: Database) throws -> String {
        var relative: [String] = []
        if configuration.partition.isDataDependent {
            relative.append(
                "the recorded \(configuration.partition.rawValue) partition, which was computed when the forgotten data "
                    + "was still there")
        }
        if try recordedPrompts(db)?.method == .tallrec {
            relative.append("the splits recorded at import")
        }
        if try Meta.dealtSlices.value(Bool.self, db) == true {
            relative.append("the slices that people were dealt to when they were imported")
        }
        let same = "every new adapter is byte for byte what a fresh training on the retained data gives"
        return relative.isEmpty
            ? "exact: \(same); nothing it depends on was computed from the forgotten data"
            : "exact relative to \(relative.joined(separator: " and to ")): given these, \(same)"
    }
}

extension ForgetRecord {
    init(row: Row) throws {
        let table = "forget_requests"
        let finished = try row.optionalDate("finished", in: table)
        let closed = try ClosedRequest(row: row)
        self.init(
            outcome: try closed?.outcome ?? row.json("outcome", in: table),
            state: finished == nil ? .pending : .finished, method: try row.choice("method", in: table),
            finished: finished, certificate: closed?.certificate,
            bridge: try row.optionalChoice("bridge", in: table))
    }
}
