import Foundation
import Recommendation
import Testing
import Unlearning

/// Where there are too many for Lloyd's iterations and for a scan over all pairs.
@Suite("Dealing very many samples to shards")
struct LargePartitionTests {
    private static let count = 100_400
    private static let shards = 5

    /// Five clouds on a circle, one larger than a shard.
    private static let cloud: (samples: [PartitionSample], embeddings: [Float], truth: [Int]) = {
        var state: UInt64 = 11
        func uniform() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 11) * 0x1p-53
        }
        var (samples, embeddings, truth): ([PartitionSample], [Float], [Int]) = ([], [], [])
        for index in 0..<count {
            let cluster = index % 10 < 6 ? index % 5 : 0
            let angle = 2 * Double.pi * (Double(cluster) + 0.3 * (uniform() - 0.5)) / 5
            samples.append(PartitionSample(id: "p\(index)", user: "u\(index / 3)"))
            embeddings += [Float(cos(angle)), Float(sin(angle))]
            truth.append(cluster)
        }
        return (samples, embeddings, truth)
    }()

    private func deal(
        _ order: [Int]? = nil, centres: [Float]? = nil, loads: [Int] = [Int](repeating: 0, count: shards),
        seed: UInt64 = 3, method: PartitionMethod = .semantic
    ) throws -> BalancedPartition.Dealt {
        let order = order ?? Array(Self.cloud.samples.indices)
        return try BalancedPartition.deal(
            method: method, samples: order.map { Self.cloud.samples[$0] },
            embeddings: order.flatMap { Self.cloud.embeddings[(2 * $0)..<(2 * $0 + 2)] }, dimension: 2, seed: seed,
            centres: centres, loads: loads)
    }

    private func loads(_ dealt: BalancedPartition.Dealt) -> [Int] {
        dealt.assignments.reduce(into: [Int](repeating: 0, count: Self.shards)) { $0[$1.shard] += $1.prompts }
    }

    @Test("Everybody has one shard, shards are equal up to one rounding, and the order of the input changes nothing")
    func balanced() throws {
        let dealt = try deal()
        #expect(dealt.assignments.map(\.key) == Self.cloud.samples.map(\.id).sorted())
        #expect(loads(dealt).allSatisfy { $0 <= (Self.count + Self.shards - 1) / Self.shards })
        #expect(try deal(Self.cloud.samples.indices.reversed()) == dealt)
        #expect(try deal(seed: 4) != dealt)
        // A partition makes the same of them.
        let partition = try BalancedPartition(
            method: .semantic, samples: Self.cloud.samples, embeddings: Self.cloud.embeddings, dimension: 2,
            shards: Self.shards, seed: 3)
        #expect(partition.centres == dealt.centres && partition.assignments == dealt.assignments)
    }

    @Test("Clouds that are smaller than a shard come out whole, and the centres are theirs")
    func clouds() throws {
        let dealt = try deal()
        let shards = Dictionary(uniqueKeysWithValues: dealt.assignments.map { ($0.key, $0.shard) })
        var most: [Double] = []
        for cluster in 1..<5 {
            let members = Self.cloud.samples.indices.filter { Self.cloud.truth[$0] == cluster }
            let counts = Dictionary(grouping: members) { shards[Self.cloud.samples[$0].id] ?? -1 }.mapValues(\.count)
            most.append(Double(counts.values.max() ?? 0) / Double(members.count))
            let angle = 2 * Double.pi * Double(cluster) / 5
            let distances = (0..<Self.shards).map { shard in
                hypot(Double(dealt.centres[2 * shard]) - cos(angle), Double(dealt.centres[2 * shard + 1]) - sin(angle))
            }
            #expect((distances.min() ?? 1) < 0.1)
        }
        #expect(most.allSatisfy { $0 > 0.7 }, "\(most)")
    }

    @Test("It is told which samples a centre was made of, also where these are few")
    func sources() throws {
        let dealt = try deal()
        let keys = Set(Self.cloud.samples.map(\.id))
        #expect(dealt.sources.count == Self.shards)
        #expect(dealt.sources.allSatisfy { !$0.isEmpty && keys.isSuperset(of: $0) })
        let plain = Array(Self.cloud.samples.indices.prefix(60))
        let few = try deal(plain)
        let places = Dictionary(uniqueKeysWithValues: plain.map { (Self.cloud.samples[$0].id, $0) })
        for (centre, source) in few.sources.enumerated() {
            #expect(!source.isEmpty && source == source.sorted())
            for column in 0..<2 {
                let values = source.compactMap { places[$0] }.map { Double(Self.cloud.embeddings[2 * $0 + column]) }
                #expect(few.centres[2 * centre + column] == Float(values.reduce(0, +) / Double(source.count)))
            }
        }
        #expect(few.sources.joined().count == plain.count)
        // Fewer samples than centres.
        #expect(try deal([0, 1]).sources.allSatisfy { $0 == ["p0"] || $0 == ["p1"] })
        #expect(try deal(plain, centres: few.centres).sources.isEmpty)
    }

    @Test("With recorded centres nobody moves them, and fuller shards get less")
    func recorded() throws {
        let first = try deal()
        let more = try deal(centres: first.centres, loads: [60_000, 0, 0, 0, 0])
        #expect(more.centres == first.centres && loads(more)[0] == 0)
        #expect(loads(more).dropFirst().allSatisfy { $0 == Self.count / 4 })
    }

    @Test("By user, a user is whole in one shard, also one with more prompts than a shard's share")
    func byUser() throws {
        var samples = Self.cloud.samples
        for index in 0..<30_000 { samples[index].user = "large" }
        for index in 30_000..<samples.count { samples[index].user = samples[index].id }
        samples.append(contentsOf: (0..<30_001).map { PartitionSample(id: "q\($0)", user: "v\($0)") })
        let embeddings = Self.cloud.embeddings + Self.cloud.embeddings.prefix(2 * 30_001)
        let dealt = try BalancedPartition.deal(
            method: .user, samples: samples, embeddings: embeddings, dimension: 2, seed: 1, centres: nil,
            loads: [0, 0, 0, 0, 0])
        let large = try #require(dealt.assignments.first { $0.key == "large" })
        #expect(large.prompts == 30_000 && loads(dealt).reduce(0, +) == samples.count)
        let others = loads(dealt).enumerated().filter { $0.offset != large.shard }.map(\.element)
        #expect(loads(dealt)[large.shard] == 30_000 && others.allSatisfy { $0 <= (samples.count - 30_000 + 3) / 4 })
    }
}
