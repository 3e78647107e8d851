import Recommendation

extension BalancedPartition {
    /// Members that Lloyd's iterations and the scan over all pairs are for.
    static let scanned = 100_000

    /// What samples that are nobody's yet are given.
    public struct Dealt: Hashable, Sendable {
        /// `[shards, dimension]`.
        public var centres: [Float]
        /// Of each centre the keys of the members that it was made of, sorted; empty where the centres were recorded before.
        public var sources: [[String]]
        /// Sorted by key.
        public var assignments: [Assignment]
    }

    /// Deals samples of which none has a shard yet (under `user`: whose user has none). Of those that have one nothing is needed
    /// but how many there are.
    ///
    /// - `embeddings`: `[samples, dimension]`, row by row.
    /// - `centres`: as they were recorded; nil: to be computed from the samples.
    /// - `loads`: prompts that each shard holds already.
    /// - Throws: as `init`.
    public static func deal(
        method: PartitionMethod, samples: [PartitionSample], prompts: [Int]? = nil, embeddings: [Float], dimension: Int,
        seed: UInt64, centres: [Float]?, loads: [Int]
    ) throws -> Dealt {
        guard method.isDataDependent, !loads.isEmpty else {
            throw UnlearningError.invalidSpecification(reason: "partition \(method.rawValue) deals nobody out")
        }
        guard !samples.isEmpty else { throw UnlearningError.noSamples }
        let members = try members(
            method: method, samples: samples, prompts: prompts, embeddings: embeddings, dimension: dimension)
        if let centres {
            try Vectors.check(centres, what: "the centres", rows: loads.count, dimension: dimension)
        }
        let used =
            centres.map { Clusters(centres: $0, rows: []) }
            ?? clusters(of: members, dimension: dimension, shards: loads.count, seed: seed)
        return Dealt(
            centres: used.centres, sources: used.rows.map { $0.map { members[$0].key } },
            assignments: dealt(members, to: used.centres, dimension: dimension, loads: loads, seed: seed))
    }

    static func clusters(
        of members: [BalancedAssignment.Member], dimension: Int, shards: Int, seed: UInt64
    ) -> Clusters {
        let rows = members.flatMap(\.embedding)
        guard members.count > scanned else {
            return KMeans.clusters(rows: rows, dimension: dimension, clusters: shards, seed: seed)
        }
        return MiniBatchKMeans.clusters(
            rows: rows, keys: members.map(\.key), dimension: dimension, clusters: shards, seed: seed)
    }

    /// - Parameter members: sorted by key.
    static func dealt(
        _ members: [BalancedAssignment.Member], to centres: [Float], dimension: Int, loads: [Int], seed: UInt64
    ) -> [Assignment] {
        let shards =
            members.count > scanned
            ? StreamedAssignment.shards(of: members, centres: centres, dimension: dimension, loads: loads, seed: seed)
            : BalancedAssignment.shards(of: members, centres: centres, dimension: dimension, loads: loads)
        return zip(members, shards).map { Assignment(key: $0.key, shard: $1, prompts: $0.prompts) }
    }
}
