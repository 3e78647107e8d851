import Crypto
import Foundation

/// A signed addition to a certificate: what became known after it was signed. Read like a `Certificate`.
public struct Supplement: Codable, Hashable, Sendable {
    package static let type = "lethe-supplement+jwt"

    /// A copy that the certificate named, and what is known of it now.
    public struct Copy: Codable, Hashable, Sendable {
        public var worker: String
        /// The worker's, for people.
        public var name: String
        public var shard: Int
        public var manifest: String
        /// open (not confirmed gone), reported (gone, says the worker), cleared (deleted by another worker on the same
        /// machine) or destroyed (an operator declared the disk destroyed).
        public var state: String
        /// ISO 8601, UTC: of the last change.
        public var since: String

        package init(worker: String, name: String, shard: Int, manifest: String, state: String, since: String) {
            self.worker = worker
            self.name = name
            self.shard = shard
            self.manifest = manifest
            self.state = state
            self.since = since
        }
    }

    /// An adapter that the certificate names and that a second training did not give.
    public struct DisputedAdapter: Codable, Hashable, Sendable {
        public var shard: Int
        /// Content names: of the adapter, and of what the other training gave.
        public var adapter: String
        public var other: String
        /// The workers that trained them.
        public var workers: [String]

        package init(shard: Int, adapter: String, other: String, workers: [String]) {
            self.shard = shard
            self.adapter = adapter
            self.other = other
            self.workers = workers
        }
    }

    public enum Finding: Hashable, Sendable {
        /// All copies that the request had to ask about.
        case copies([Copy])
        case disputed(DisputedAdapter)
    }

    public struct Statement: Hashable, Sendable {
        public static let currentVersion = 1

        public var version: Int
        public var cluster: String
        public var request: String
        /// SHA-256, in hexadecimal, of the certificate's payload.
        public var certificate: String
        /// ISO 8601, UTC.
        public var time: String
        public var finding: Finding
        /// Hash of the audit log's entry that says the same.
        public var auditHead: String

        package init(
            version: Int, cluster: String, request: String, certificate: String, time: String, finding: Finding,
            auditHead: String
        ) {
            self.version = version
            self.cluster = cluster
            self.request = request
            self.certificate = certificate
            self.time = time
            self.finding = finding
            self.auditHead = auditHead
        }
    }

    public let jws: SignedStatement
    /// What is signed: the payload of `jws`.
    public let statement: Statement

    private enum CodingKeys: String, CodingKey { case jws, statement }

    package init(statement: Statement, signedBy key: Curve25519.Signing.PrivateKey) throws {
        jws = try SignedStatement(statement, type: Self.type, signedBy: key)
        self.statement = statement
    }

    package init(jws: SignedStatement) throws {
        self.jws = jws
        statement = try jws.decoded(Statement.self)
    }

    public init(from decoder: any Decoder) throws {
        try self.init(jws: decoder.container(keyedBy: CodingKeys.self).decode(SignedStatement.self, forKey: .jws))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(jws, forKey: .jws)
        try container.encode(statement, forKey: .statement)
    }

    /// Whether the statement is unaltered and signed with this key.
    public func verify(publicKey: Data) -> Bool {
        jws.type == Self.type && jws.verify(publicKey: publicKey)
    }
}

extension Supplement.Statement: Codable {
    private enum CodingKeys: String, CodingKey {
        case version, cluster, request, certificate, time, copies, disputedAdapter, auditHead
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        version = try container.decode(Int.self, forKey: .version)
        cluster = try container.decode(String.self, forKey: .cluster)
        request = try container.decode(String.self, forKey: .request)
        certificate = try container.decode(String.self, forKey: .certificate)
        time = try container.decode(String.self, forKey: .time)
        auditHead = try container.decode(String.self, forKey: .auditHead)
        if let copies = try container.decodeIfPresent([Supplement.Copy].self, forKey: .copies) {
            finding = .copies(copies)
        } else {
            finding = .disputed(try container.decode(Supplement.DisputedAdapter.self, forKey: .disputedAdapter))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(version, forKey: .version)
        try container.encode(cluster, forKey: .cluster)
        try container.encode(request, forKey: .request)
        try container.encode(certificate, forKey: .certificate)
        try container.encode(time, forKey: .time)
        try container.encode(auditHead, forKey: .auditHead)
        switch finding {
        case .copies(let copies): try container.encode(copies, forKey: .copies)
        case .disputed(let adapter): try container.encode(adapter, forKey: .disputedAdapter)
        }
    }
}
