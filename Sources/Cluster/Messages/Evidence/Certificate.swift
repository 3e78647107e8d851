import Crypto
import Foundation
import Recommendation
import Unlearning

/// Signed evidence that a forget request was carried out: what was removed, in numbers, which adapters were replaced by
/// which, relative to what that is exact, which copies are not confirmed gone, and where in the audit log it stands.
///
/// As JSON: `jws`, what was signed as it was signed; and beside it, for people, `statement` (the payload), `signature` and
/// `public_key`. Reading goes by `jws` alone.
public struct Certificate: Codable, Hashable, Sendable {
    package static let type = "lethe-certificate+jwt"

    public let jws: SignedStatement
    /// What is signed: the payload of `jws`.
    public let statement: Statement
    /// Raw Ed25519 public key (32 bytes) of the cluster that signed. Trust the one that the cluster's operator published.
    public let publicKey: Data

    private enum CodingKeys: String, CodingKey { case jws, statement, signature, publicKey }

    package init(statement: Statement, signedBy key: Curve25519.Signing.PrivateKey) throws {
        jws = try SignedStatement(statement, type: Self.type, signedBy: key)
        self.statement = statement
        publicKey = key.publicKey.rawRepresentation
    }

    package init(jws: SignedStatement, publicKey: Data) throws {
        self.jws = jws
        statement = try jws.decoded(Statement.self)
        self.publicKey = publicKey
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            jws: container.decode(SignedStatement.self, forKey: .jws),
            publicKey: container.decode(Data.self, forKey: .publicKey))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(jws, forKey: .jws)
        try container.encode(statement, forKey: .statement)
        try container.encode(jws.signature, forKey: .signature)
        try container.encode(publicKey, forKey: .publicKey)
    }

    /// Whether the statement is unaltered and signed with this key.
    public func verify(publicKey: Data) -> Bool {
        jws.type == Self.type && jws.verify(publicKey: publicKey)
    }
}

extension Certificate {
    /// One shard that held the data.
    public struct Shard: Codable, Hashable, Sendable {
        public var index: Int
        public var oldAdapter: String?
        public var oldManifest: String
        /// nil: the shard is empty now, or had no adapter to replace.
        public var newAdapter: String?
        public var newManifest: String
        /// nil: the new adapter was trained, or there is none.
        public var correction: Correction?
        /// Why the shard was retrained although a correction was asked for.
        public var fallback: CorrectionFallback?
        /// How the new adapter came about; nil before version 4, and where there is none.
        public var training: TrainingReport?
        /// What was in service from the acknowledgement to the new adapter, one after the other; nil before version 5, and where
        /// nothing did.
        public var meanwhile: [ServedStage]?

        private enum CodingKeys: String, CodingKey {
            case index, oldAdapter, oldManifest, newAdapter, newManifest, fallback, training, meanwhile
            case correction = "approximation"
        }

        public init(
            index: Int, oldAdapter: String?, oldManifest: String, newAdapter: String?, newManifest: String,
            correction: Correction? = nil, fallback: CorrectionFallback? = nil, training: TrainingReport? = nil,
            meanwhile: [ServedStage]? = nil
        ) {
            self.meanwhile = meanwhile
            self.index = index
            self.oldAdapter = oldAdapter
            self.oldManifest = oldManifest
            self.newAdapter = newAdapter
            self.newManifest = newManifest
            self.correction = correction
            self.training = training
            self.fallback = fallback
        }
    }

    /// A stage of the shard's training that answered for it: exact, for it was trained on nothing but slices that what was
    /// forgotten was not in.
    public struct ServedStage: Codable, Hashable, Sendable {
        public var adapter: String
        /// Of the prompts in the slices that it was trained on.
        public var manifest: String
        /// The last of these slices.
        public var slice: Int
        /// All slices of the shard.
        public var slices: Int
        /// ISO 8601, UTC. It was in service from then on until the next stage, the next request for the shard, the new adapter,
        /// or the entry `withdraw` of the audit log that names it; where weights rest on rows of margins, from its own row on.
        public var since: String

        package init(adapter: String, manifest: String, slice: Int, slices: Int, since: String) {
            self.adapter = adapter
            self.manifest = manifest
            self.slice = slice
            self.slices = slices
            self.since = since
        }
    }

    /// Of a new adapter that was corrected instead of trained.
    public struct Correction: Codable, Hashable, Sendable {
        public var method: ApproximateMethod
        /// Approximate corrections since the last training, this one included.
        public var corrections: Int
        /// nil in certificates of before version 3.
        public var measured: MeasuredCorrection?

        public init(
            method: ApproximateMethod, corrections: Int, measured: MeasuredCorrection? = nil
        ) {
            self.method = method
            self.corrections = corrections
            self.measured = measured
        }

        package init(_ report: CorrectionReport) {
            self.init(
                method: report.provenance.method, corrections: report.provenance.corrections,
                measured: MeasuredCorrection(report))
        }
    }

    /// What is signed.
    public struct Statement: Codable, Hashable, Sendable {
        /// 5: names the stages that answered meanwhile. 4: says of each new adapter how it was trained. 3: signed as JWS; names the cluster, arithmetic, log head at the end, copies not confirmed gone, second trainings,
        /// and measurements of corrections. 2: says of shards whether they were corrected instead of trained, and why not.
        public static let currentVersion = 5

        public var version: Int
        /// nil before version 3.
        public var cluster: String?
        public var request: String
        public var method: ForgetMethod
        /// What served until the exact adapters were there.
        public var bridge: ApproximateMethod?
        /// ISO 8601, UTC.
        public var received: String
        public var finished: String
        public var counts: ForgetCounts
        public var shards: [Shard]
        /// Shards that a second worker trained before this was signed. nil before version 3.
        public var doubleChecks: [DoubleCheck]?
        /// Copies on workers' disks that may hold what was forgotten and are not confirmed gone. nil before version 3.
        public var unconfirmed: [UnconfirmedCopy]?
        /// Set where copies handed out before this moment (ISO 8601, UTC) are not on record.
        public var copiesRecordedSince: String?
        /// "exact" or "approximate", and relative to what, in one sentence.
        public var exactness: String
        /// SHA-256, in hexadecimal, of the specification that trained the new adapters.
        public var specification: String
        /// Fingerprint of the arithmetic that trained them; nil before version 3.
        public var arithmetic: String?
        /// Hash of the audit log's entry for the acknowledgement of the request.
        public var auditHead: String
        /// Hash of the audit log's last entry when this was signed; nil before version 3.
        public var auditHeadAtFinish: String?

        package init(
            version: Int, cluster: String? = nil, request: String, method: ForgetMethod,
            bridge: ApproximateMethod? = nil, received: String, finished: String, counts: ForgetCounts,
            shards: [Shard], doubleChecks: [DoubleCheck]? = nil, unconfirmed: [UnconfirmedCopy]? = nil,
            copiesRecordedSince: String? = nil, exactness: String, specification: String, arithmetic: String? = nil,
            auditHead: String, auditHeadAtFinish: String? = nil
        ) {
            self.version = version
            self.cluster = cluster
            self.request = request
            self.method = method
            self.bridge = bridge
            self.received = received
            self.finished = finished
            self.counts = counts
            self.shards = shards
            self.doubleChecks = doubleChecks
            self.unconfirmed = unconfirmed
            self.copiesRecordedSince = copiesRecordedSince
            self.exactness = exactness
            self.specification = specification
            self.arithmetic = arithmetic
            self.auditHead = auditHead
            self.auditHeadAtFinish = auditHeadAtFinish
        }
    }
}
