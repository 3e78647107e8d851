import Foundation
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Dealing samples to shards")
struct PartitionTests {
    private static let cases = [(1, 1), (7, 3), (64, 4), (101, 4), (30, 7), (3, 5)]

    @Test("Semantic shards are equal up to one rounding and hold every sample once", arguments: cases)
    func balanced(count: Int, shards: Int) throws {
        for noise: Float in [0, 0.5, 5] {
            let cloud = Cloud(count: count, clusters: min(3, count), noise: noise, seed: 3)
            let partition = try cloud.partition(.semantic, shards: shards)
            let capacity = (count + shards - 1) / shards
            #expect(partition.loads.allSatisfy { $0 <= capacity })
            #expect(partition.loads.reduce(0, +) == count)
            #expect(partition.assignments.map(\.key) == cloud.samples.map(\.id).sorted())
        }
    }

    @Test("Clusters of a shard's size come out as shards")
    func clusters() throws {
        let cloud = Cloud(count: 80, clusters: 4, noise: 0.3, seed: 11)
        for seed in 0..<5 {
            let partition = try cloud.partition(.semantic, shards: 4, seed: UInt64(seed))
            let shards = cloud.samples.map { partition.shard(of: $0) ?? -1 }
            for cluster in 0..<4 {
                #expect(Set(zip(shards, cloud.truth).filter { $0.1 == cluster }.map(\.0)).count == 1)
            }
            #expect(Set(shards).count == 4)
        }
    }

    @Test("The assignment is the paper's scan over all pairs", arguments: 0..<10)
    func againstPlainScan(seed: Int) throws {
        let cloud = Cloud(count: 40, clusters: 3, noise: 2, seed: UInt64(seed))
        let partition = try cloud.partition(.semantic, shards: 3)
        func cosine(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Double {
            let dot = zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
            let lengths = [a, b].map { $0.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }
            return dot / (lengths[0] * lengths[1])
        }
        var pairs: [(distance: Double, sample: Int, shard: Int)] = []
        for sample in cloud.samples.indices {
            for shard in 0..<3 {
                let centre = partition.centres[(shard * Cloud.dimension)..<((shard + 1) * Cloud.dimension)]
                pairs.append((1 - cosine(cloud.row(sample), centre), sample, shard))
            }
        }
        pairs.sort { $0.distance < $1.distance }
        var (loads, shards) = ([0, 0, 0], [Int: Int]())
        for pair in pairs where shards[pair.sample] == nil && loads[pair.shard] < 14 {
            shards[pair.sample] = pair.shard
            loads[pair.shard] += 1
        }
        for (index, sample) in cloud.samples.enumerated() {
            #expect(partition.shard(of: sample) == shards[index])
        }
    }

    @Test("The order of the input changes nothing", arguments: PartitionMethod.allCases, 0..<5)
    func permutation(method: PartitionMethod, seed: Int) throws {
        // Without noise there are exact ties.
        for noise: Float in [0, 1] {
            let cloud = Cloud(count: 60, clusters: 3, noise: noise, seed: 2)
            let partition = try cloud.partition(method, shards: 4)
            let permuted = try cloud.shuffled(seed: UInt64(seed)).partition(method, shards: 4)
            #expect(permuted == partition)
            #expect(cloud.samples.map(permuted.shard) == cloud.samples.map(partition.shard))
        }
    }

    @Test("By user, a user is whole in one shard and shards are near equal", arguments: 0..<10)
    func byUser(seed: Int) throws {
        let cloud = Cloud(count: 300, clusters: 4, noise: 1, users: 40, seed: UInt64(seed))
        let partition = try cloud.partition(.user, shards: 4)
        let counts = Dictionary(grouping: cloud.samples, by: \.user).mapValues(\.count)
        #expect(partition.assignments.map(\.key) == counts.keys.sorted())
        #expect(partition.assignments.allSatisfy { $0.prompts == counts[$0.key] })
        #expect(partition.loads.reduce(0, +) == 300)
        let largest = counts.values.max() ?? 0
        #expect(partition.loads.allSatisfy { $0 <= 75 + largest && $0 >= 75 - 2 * largest })
    }

    @Test("A user with more prompts than a shard may hold still gets one shard")
    func giantUser() throws {
        var cloud = Cloud(count: 50, clusters: 2, noise: 1, seed: 4)
        for index in 0..<40 { cloud.samples[index].user = "giant" }
        let partition = try cloud.partition(.user, shards: 4)
        let shard = partition.shard(of: PartitionSample(id: "any", user: "giant"))
        #expect(shard.map { partition.loads[$0] } == 40)
        // The ten others share the other three shards.
        #expect(partition.loads.sorted().dropLast().allSatisfy { (1...6).contains($0) })
        #expect(partition.loads.reduce(0, +) == 50)
    }

    @Test("Hash partitions depend on nobody else", arguments: [PartitionMethod.hash, .userHash])
    func hashes(method: PartitionMethod) throws {
        let cloud = Cloud(count: 400, clusters: 2, noise: 1, users: 200, seed: 6)
        let whole = try cloud.partition(method, shards: 4)
        let alone = try BalancedPartition(
            method: method, samples: [], embeddings: [], dimension: 0, shards: 4, seed: 5)
        let shards = cloud.samples.map { alone.shard(of: $0) ?? -1 }
        #expect(shards == cloud.samples.map { whole.shard(of: $0) ?? -1 })
        for shard in 0..<4 { #expect((60...140).contains(shards.count { $0 == shard })) }
        #expect(whole.assignments.isEmpty)
        let other = try cloud.partition(method, shards: 4, seed: 6)
        #expect(cloud.samples.map { other.shard(of: $0) ?? -1 } != shards)
        if method == .userHash {
            let byUser = Dictionary(grouping: zip(cloud.samples, shards), by: \.0.user)
            #expect(byUser.values.allSatisfy { Set($0.map(\.1)).count == 1 })
        }
    }

    @Test("Additions move nobody and fill the shards evenly", arguments: [PartitionMethod.semantic, .user])
    func additions(method: PartitionMethod) throws {
        let cloud = Cloud(count: 120, clusters: 3, noise: 1, users: 60, seed: 8)
        let (old, new) = (cloud[0..<80], cloud[80..<120])
        var partition = try BalancedPartition(
            method: method, samples: old.samples, embeddings: old.embeddings, dimension: Cloud.dimension, shards: 4,
            seed: 1)
        let before = old.samples.map { partition.shard(of: $0) }
        let centres = partition.centres
        #expect(new.samples.contains { partition.shard(of: $0) == nil })
        try partition.add(samples: new.samples, embeddings: new.embeddings)
        #expect(old.samples.map { partition.shard(of: $0) } == before)
        #expect(new.samples.allSatisfy { partition.shard(of: $0) != nil })
        #expect(partition.centres == centres)
        #expect(partition.loads.reduce(0, +) == 120)
        if method == .semantic {
            #expect(partition.loads == [30, 30, 30, 30])
            // Known samples change nothing.
            let same = partition
            try partition.add(samples: old.samples, embeddings: old.embeddings)
            #expect(partition == same)
        }
    }

    @Test("Forgotten samples and users leave no key", arguments: [PartitionMethod.semantic, .user])
    func removal(method: PartitionMethod) throws {
        let cloud = Cloud(count: 60, clusters: 3, noise: 1, users: 10, seed: 9)
        var partition = try cloud.partition(method, shards: 3)
        let kept = cloud.samples.filter { $0.user != "u3" }
        let before = kept.map { partition.shard(of: $0) }
        partition = try partition.without(cloud.samples.filter { $0.user == "u3" })
        #expect(kept.map { partition.shard(of: $0) } == before)
        #expect(partition.loads.reduce(0, +) == kept.count)
        #expect(!partition.assignments.contains { $0.key == "u3" })
        partition = try partition.without(kept)
        #expect(partition.assignments.isEmpty)
        // And the empty partition takes new samples.
        let again = cloud[0..<6]
        try partition.add(samples: again.samples, embeddings: again.embeddings)
        #expect(partition.loads.reduce(0, +) == 6)
    }

    @Test("After uneven forgetting, additions go where there is room")
    func refilling() throws {
        let cloud = Cloud(count: 90, clusters: 3, noise: 1, seed: 10)
        let (old, new) = (cloud[0..<60], cloud[60..<90])
        var partition = try BalancedPartition(
            method: .semantic, samples: old.samples, embeddings: old.embeddings, dimension: Cloud.dimension, shards: 3,
            seed: 1)
        partition = try partition.without(old.samples.filter { partition.shard(of: $0) == 1 })
        #expect(partition.loads == [20, 0, 20])
        try partition.add(samples: new.samples, embeddings: new.embeddings)
        #expect(partition.loads.max() == 24)
        #expect(partition.loads.reduce(0, +) == 70)
    }

    @Test("Enormous embeddings do no harm")
    func enormous() throws {
        let samples = (0..<10).map { PartitionSample(id: "p\($0)", user: "u\($0)") }
        let values = (0..<20).map { Float($0 % 3) * 1e38 - 1e38 }
        for method in [PartitionMethod.semantic, .user] {
            let partition = try BalancedPartition(
                method: method, samples: samples, embeddings: values, dimension: 2, shards: 3, seed: 0)
            #expect(partition.loads.max() == 4)
        }
    }

    @Test("A partition survives its encoding", arguments: PartitionMethod.allCases)
    func coding(method: PartitionMethod) throws {
        let partition = try Cloud(count: 20, clusters: 3, noise: 1, seed: 1).partition(method, shards: 3)
        let data = try JSONEncoder().encode(partition)
        #expect(try JSONDecoder().decode(BalancedPartition.self, from: data) == partition)
    }

    @Test("A record that contradicts itself is refused")
    func records() throws {
        typealias Assignment = BalancedPartition.Assignment
        func restore(
            _ method: PartitionMethod, centres: [Float] = [1, 0, 0, 1], _ assignments: [Assignment]
        ) throws -> BalancedPartition {
            try BalancedPartition(
                method: method, shards: 2, seed: 1, dimension: 2, centres: centres, assignments: assignments)
        }
        let (a, b) = (Assignment(key: "a", shard: 0, prompts: 2), Assignment(key: "b", shard: 1, prompts: 1))
        let restored = try restore(.user, [b, a])
        #expect(restored.assignments == [a, b])
        #expect(restored.loads == [2, 1])
        #expect(restored.shard(of: PartitionSample(id: "x", user: "b")) == 1)
        #expect(throws: UnlearningError.duplicateSample(id: "a")) { try restore(.user, [a, b, a]) }
        #expect(throws: UnlearningError.self) { try restore(.user, centres: [1], [a]) }
        #expect(throws: UnlearningError.self) { try restore(.semantic, [Assignment(key: "a", shard: 2, prompts: 1)]) }
        #expect(throws: UnlearningError.self) { try restore(.semantic, [Assignment(key: "a", shard: -1, prompts: 1)]) }
        #expect(throws: UnlearningError.self) { try restore(.semantic, [Assignment(key: "a", shard: 0, prompts: 0)]) }
        #expect(throws: UnlearningError.self) { try restore(.hash, [a]) }
    }

    @Test("Equal and zero embeddings still come out balanced")
    func degenerate() throws {
        for value: Float in [0, 1] {
            let samples = (0..<10).map { PartitionSample(id: "p\($0)", user: "u") }
            let partition = try BalancedPartition(
                method: .semantic, samples: samples, embeddings: [Float](repeating: value, count: 30), dimension: 3,
                shards: 4, seed: 0)
            #expect(partition.loads.max() == 3)
            #expect(partition.loads.reduce(0, +) == 10)
        }
    }

    @Test("Impossible input is refused")
    func refusals() {
        let two = [PartitionSample(id: "a", user: "u"), PartitionSample(id: "b", user: "u")]
        func make(
            _ samples: [PartitionSample], _ embeddings: [Float], dimension: Int = 2, shards: Int = 2
        ) throws -> BalancedPartition {
            try BalancedPartition(
                method: .semantic, samples: samples, embeddings: embeddings, dimension: dimension, shards: shards,
                seed: 0)
        }
        #expect(throws: UnlearningError.noSamples) { try make([], []) }
        #expect(throws: UnlearningError.wrongShape(what: "the embeddings", expected: 4, found: 3)) {
            try make(two, [1, 2, 3])
        }
        #expect(throws: UnlearningError.notFinite(what: "the embeddings")) { try make(two, [1, 2, 3, .nan]) }
        #expect(throws: UnlearningError.duplicateSample(id: "a")) { try make([two[0], two[0]], [1, 2, 3, 4]) }
        #expect(throws: UnlearningError.self) { try make(two, [1, 2, 3, 4], shards: 0) }
        #expect(throws: UnlearningError.self) { try make(two, [], dimension: 0) }
    }
}

extension BalancedPartition {
    /// As a ledger that forgot the samples records it.
    fileprivate func without(_ samples: [PartitionSample]) throws -> BalancedPartition {
        let keys = samples.map { method == .user ? $0.user : $0.id }
        let left = assignments.compactMap { assignment in
            var assignment = assignment
            assignment.prompts -= keys.count { $0 == assignment.key }
            return assignment.prompts > 0 ? assignment : nil
        }
        return try BalancedPartition(
            method: method, shards: shards, seed: seed, dimension: dimension, centres: centres, assignments: left)
    }
}
