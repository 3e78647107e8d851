import Crypto
import Foundation
import Recommendation
import Unlearning

/// Signed evidence that a forget request was carried out: what was removed, in numbers, which adapters were replaced by
/// which, relative to what that is exact, and the audit log it can be found in.
public struct Certificate: Codable, Hashable, Sendable {
    public struct Shard: Codable, Hashable, Sendable {
        public var index: Int
        public var oldAdapter: String?
        public var oldManifest: String
        /// nil: the shard is empty now, or had no adapter to replace.
        public var newAdapter: String?
        public var newManifest: String
        /// nil: the new adapter was trained, or there is none.
        public var approximation: Approximation?
        /// Why the shard was retrained although a correction was asked for.
        public var fallback: CorrectionFallback?

        public init(
            index: Int, oldAdapter: String?, oldManifest: String, newAdapter: String?, newManifest: String,
            approximation: Approximation? = nil, fallback: CorrectionFallback? = nil
        ) {
            self.index = index
            self.oldAdapter = oldAdapter
            self.oldManifest = oldManifest
            self.newAdapter = newAdapter
            self.newManifest = newManifest
            self.approximation = approximation
            self.fallback = fallback
        }
    }

    /// Of a new adapter that was corrected instead of trained.
    public struct Approximation: Codable, Hashable, Sendable {
        public var method: ApproximateProvenance.Method
        /// Approximate corrections since the last training, this one included.
        public var corrections: Int

        public init(method: ApproximateProvenance.Method, corrections: Int) {
            self.method = method
            self.corrections = corrections
        }
    }

    /// What is signed.
    public struct Statement: Codable, Hashable, Sendable {
        /// 2: says of shards whether they were corrected instead of trained, and why not.
        public static let currentVersion = 2

        public var version: Int
        public var request: String
        public var method: ClusterConfiguration.Method
        /// What served until the exact adapters were there.
        public var bridge: ApproximateProvenance.Method?
        /// ISO 8601, UTC.
        public var received: String
        public var finished: String
        public var counts: ForgetCounts
        public var shards: [Shard]
        /// "exact" or "approximate", and relative to what, in one sentence.
        public var exactness: String
        /// SHA-256, in hexadecimal, of the specification that trained the new adapters.
        public var specification: String
        /// Hash of the audit log's entry for the acknowledgement of the request.
        public var auditHead: String
    }

    public var statement: Statement
    /// Ed25519 over the statement as JSON with sorted keys.
    public var signature: Data
    /// Raw Ed25519 public key (32 bytes) of the cluster that signed.
    public var publicKey: Data

    /// Whether the statement is unaltered and signed with this key.
    public func verify(publicKey: Data) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey),
            let bytes = try? statement.signedBytes
        else { return false }
        return key.isValidSignature(signature, for: bytes)
    }

    init(statement: Statement, signedBy key: Curve25519.Signing.PrivateKey) throws {
        self.statement = statement
        signature = try key.signature(for: statement.signedBytes)
        publicKey = key.publicKey.rawRepresentation
    }
}

extension Certificate.Statement {
    /// JSON with sorted keys, without escaped slashes and white space.
    public var signedBytes: Data {
        get throws { try JSONEncoder.stable.encode(self) }
    }
}

/// One entry of the audit log, chained to the one before it by SHA-256.
public struct AuditEntry: Codable, Hashable, Sendable {
    /// From 1, without gaps.
    public var sequence: Int
    public var time: Date
    /// forget, import, publish, …
    public var kind: String
    /// JSON with sorted keys; counts, digests and request ids, never content of the data.
    public var detail: String
    /// In hexadecimal, of the entry before; 64 zeros for the first.
    public var previous: String
    /// In hexadecimal.
    public var hash: String

    public init(sequence: Int, time: Date, kind: String, detail: String, previous: String, hash: String) {
        self.sequence = sequence
        self.time = time
        self.kind = kind
        self.detail = detail
        self.previous = previous
        self.hash = hash
    }
}
