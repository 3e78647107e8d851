import Recommendation

/// Which shard every training prompt belongs to.
///
/// K-means gives the centres once; prompts (or users) are then dealt to them by rising cosine distance, every shard up to
/// an equal share (`BalancedAssignment`; arXiv 2404.10327). More than 100,000 at once are too many for either: a keyed
/// sample of them gives the centres (`MiniBatchKMeans`), and they are dealt in one pass (`StreamedAssignment`). Sticky: `add`
/// gives new samples to shards without moving anybody. No result depends on the order of its input.
///
/// The centres of `semantic` and `user` are means over everybody's data at the time; a forget leaves those that rest on others
/// too. A replay is exact relative to them. The hash methods have no such input.
public struct BalancedPartition: Codable, Hashable, Sendable {
    /// A sample (or, under `user`, a user) and its shard.
    public struct Assignment: Codable, Hashable, Sendable {
        /// Prompt id, or user.
        public var key: String
        public var shard: Int
        /// Prompts that the key stands for.
        public var prompts: Int

        public init(key: String, shard: Int, prompts: Int) {
            self.key = key
            self.shard = shard
            self.prompts = prompts
        }
    }

    public let method: PartitionMethod
    public let shards: Int
    public let seed: UInt64
    /// Width of an embedding; 0 under the hash methods.
    public let dimension: Int
    /// `[shards, dimension]`, fixed once; empty under the hash methods.
    public let centres: [Float]
    /// Sorted by key. Empty under the hash methods, which need no record.
    public private(set) var assignments: [Assignment]

    /// - `embeddings`: `[samples, dimension]`, row by row; ignored under the hash methods.
    /// - Throws: `UnlearningError.invalidSpecification` when `shards < 1`; under the data-dependent methods `.noSamples`,
    ///   `.wrongShape`, `.notFinite`, and `.duplicateSample` when an id repeats.
    public init(
        method: PartitionMethod, samples: [PartitionSample], embeddings: [Float], dimension: Int, shards: Int,
        seed: UInt64
    ) throws {
        guard shards > 0 else { throw UnlearningError.invalidSpecification(reason: "there must be at least one shard") }
        self.method = method
        self.shards = shards
        self.seed = seed
        assignments = []
        guard method.isDataDependent else {
            self.dimension = 0
            centres = []
            return
        }
        guard !samples.isEmpty else { throw UnlearningError.noSamples }
        self.dimension = dimension
        let members = try Self.members(method: method, samples: samples, embeddings: embeddings, dimension: dimension)
        centres = Self.clusters(of: members, dimension: dimension, shards: shards, seed: seed).centres
        deal(members)
    }

    /// A partition as it was recorded.
    ///
    /// - `assignments`: in any order.
    /// - Throws: `UnlearningError.invalidSpecification`, `.wrongShape`, `.notFinite`, `.duplicateSample` when the record
    ///   contradicts itself.
    public init(
        method: PartitionMethod, shards: Int, seed: UInt64, dimension: Int, centres: [Float], assignments: [Assignment]
    ) throws {
        guard shards > 0 else { throw UnlearningError.invalidSpecification(reason: "there must be at least one shard") }
        if method.isDataDependent {
            try Vectors.check(centres, what: "the centres", rows: shards, dimension: dimension)
        } else if dimension != 0 || !centres.isEmpty || !assignments.isEmpty {
            throw UnlearningError.invalidSpecification(reason: "partition \(method.rawValue) needs no record")
        }
        for assignment in assignments where !(0..<shards).contains(assignment.shard) || assignment.prompts < 1 {
            throw UnlearningError.invalidSpecification(
                reason: "\(assignment.prompts) prompts of \(assignment.key) cannot be in shard \(assignment.shard)")
        }
        let sorted = assignments.sorted { $0.key < $1.key }
        for (one, next) in zip(sorted, sorted.dropFirst()) where one.key == next.key {
            throw UnlearningError.duplicateSample(id: one.key)
        }
        self.method = method
        self.shards = shards
        self.seed = seed
        self.dimension = dimension
        self.centres = centres
        self.assignments = sorted
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            method: values.decode(PartitionMethod.self, forKey: .method),
            shards: values.decode(Int.self, forKey: .shards), seed: values.decode(UInt64.self, forKey: .seed),
            dimension: values.decode(Int.self, forKey: .dimension),
            centres: values.decode([Float].self, forKey: .centres),
            assignments: values.decode([Assignment].self, forKey: .assignments))
    }

    private enum CodingKeys: CodingKey { case method, shards, seed, dimension, centres, assignments }

    /// nil when the sample (under `user`: the user) is unknown to a data-dependent partition.
    public func shard(of sample: PartitionSample) -> Int? {
        switch method {
        case .semantic: position(of: sample.id).map { assignments[$0].shard }
        case .user: position(of: sample.user).map { assignments[$0].shard }
        case .userHash: hashedShard(sample.user)
        case .hash: hashedShard(sample.id)
        }
    }

    /// Deals new samples to the existing centres; nobody moves.
    ///
    /// Samples that `semantic` knows already are ignored. Under `user` all samples must be new; those of a known user join
    /// that user's shard. Nothing to do under the hash methods.
    ///
    /// - `embeddings`: `[samples, dimension]`, row by row.
    /// - Throws: as `init`.
    public mutating func add(samples: [PartitionSample], embeddings: [Float]) throws {
        guard method.isDataDependent, !samples.isEmpty else { return }
        var new: [BalancedAssignment.Member] = []
        for member in try Self.members(
            method: method, samples: samples, embeddings: embeddings, dimension: dimension)
        {
            if let position = position(of: member.key) {
                if method == .user { assignments[position].prompts += member.prompts }
            } else {
                new.append(member)
            }
        }
        deal(new)
    }

    /// Prompts in each shard; zeros under the hash methods, which keep no record.
    public var loads: [Int] {
        var loads = [Int](repeating: 0, count: shards)
        for assignment in assignments { loads[assignment.shard] += assignment.prompts }
        return loads
    }

    private mutating func deal(_ members: [BalancedAssignment.Member]) {
        assignments += Self.dealt(members, to: centres, dimension: dimension, loads: loads, seed: seed)
        assignments.sort { $0.key < $1.key }
    }

    private func hashedShard(_ key: String) -> Int {
        Int(FieldHash.number(["partition", String(seed), key]) % UInt64(shards))
    }

    /// Binary search among the sorted keys.
    private func position(of key: String) -> Int? {
        var (low, high) = (0, assignments.count)
        while low < high {
            let middle = (low + high) / 2
            if assignments[middle].key < key { low = middle + 1 } else { high = middle }
        }
        return low < assignments.count && assignments[low].key == key ? low : nil
    }

    /// Sorted by key; under `user` one member a user, with the mean of the embeddings in the order of the prompts' ids.
    static func members(
        method: PartitionMethod, samples: [PartitionSample], prompts: [Int]? = nil, embeddings: [Float], dimension: Int
    ) throws -> [BalancedAssignment.Member] {
        try Vectors.check(embeddings, what: "the embeddings", rows: samples.count, dimension: dimension)
        let order = samples.indices.sorted { samples[$0].id < samples[$1].id }
        for (one, next) in zip(order, order.dropFirst()) where samples[one].id == samples[next].id {
            throw UnlearningError.duplicateSample(id: samples[one].id)
        }
        func row(_ index: Int) -> ArraySlice<Float> { embeddings[(index * dimension)..<((index + 1) * dimension)] }
        guard method == .user else {
            return order.map {
                BalancedAssignment.Member(
                    key: samples[$0].id, prompts: prompts?[$0] ?? 1, embedding: Array(row($0)))
            }
        }
        return Dictionary(grouping: order) { samples[$0].user }.sorted { $0.key < $1.key }.map { user, indices in
            var sums = [Double](repeating: 0, count: dimension)
            for index in indices {
                for (column, value) in row(index).enumerated() { sums[column] += Double(value) }
            }
            let mean = sums.map { Float($0 / Double(indices.count)) }
            let count = indices.reduce(0) { $0 + (prompts?[$1] ?? 1) }
            return BalancedAssignment.Member(key: user, prompts: count, embedding: mean)
        }
    }
}
