import Crypto
import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

/// The worked example of "How an adapter is made": page, an independent implementation and this code say the same.
@Suite("The worked example of the documentation")
struct WorkedExampleTests {
    private struct Values: Decodable {
        var input: String
        var id: String
        var digest: String
        var label: String
        var manifest: String
        var textSha256: String
        var userHash: [Int]
        var hash: [Int]
        var orders: [[String]]
        var splits: [String: Int]
        var initialQ: [String]
        var initialV: [String]
    }

    private static let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    private func values() throws -> Values {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let file = Self.here.appendingPathComponent("Fixtures/how_an_adapter_is_made.json")
        return try decoder.decode(Values.self, from: Data(contentsOf: file))
    }

    private func prompts() throws -> [Prompt] {
        let builder = try PromptBuilder(configuration: PromptConfiguration())
        return (0..<3).flatMap { user in
            let interactions = (0..<14).map { position in
                Interaction(
                    user: "u\(user)", item: "i\((7 * user + 3 * position) % 20)",
                    timestamp: Int64(1000 + 10 * position + user), rating: Double(1 + (2 * user + 3 * position) % 5),
                    ordinal: Int64(14 * user + position))
            }
            return builder.prompts(
                user: "u\(user)", interactions: interactions,
                titles: { item in Int(item.dropFirst()).map { "Film \($0) (\(1980 + $0))" } })
        }
    }

    @Test("Prompts, digests, shards, orders and the initial adapter are those of the independent implementation")
    func computed() throws {
        let expected = try values()
        let all = try prompts()
        for split in Split.allCases { #expect(all.count { $0.split == split } == expected.splits[split.rawValue]) }
        let training = all.filter { $0.split == .train }
        let first = try #require(training.first)
        #expect(first.input == expected.input && first.id == expected.id && first.output == expected.label)
        #expect(TrainingPrompt(first).digest == expected.digest)
        let hashed = SHA256.hash(data: Data(first.text.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        #expect(hashed.joined() == expected.textSha256)
        let entries = training.map { ShardManifest.Entry(id: $0.id, digest: TrainingPrompt($0).digest) }
        #expect(ShardManifest(entries: entries).digest == expected.manifest)
        for (method, shards) in [(PartitionMethod.userHash, expected.userHash), (.hash, expected.hash)] {
            let partition = try BalancedPartition(
                method: method, samples: [], embeddings: [], dimension: 0, shards: 4, seed: 1)
            let samples =
                method == .hash
                ? training.map { PartitionSample(id: $0.id, user: $0.user) }
                : (0..<3).map { PartitionSample(id: "", user: "u\($0)") }
            #expect(samples.map { partition.shard(of: $0) } == shards)
        }
        let ids = training.map(\.id).sorted()
        for (epoch, order) in expected.orders.enumerated() {
            let found = AdapterTraining.order(of: ids, epoch: epoch, seed: 1).map { String(ids[$0].prefix(8)) }
            #expect(found == order)
        }
    }

    @Test("The initial adapter begins as the page says")
    func initial() throws {
        let expected = try values()
        let model = ModelConfiguration(
            family: .llama, vocabulary: 96, hidden: 64, layers: 2, heads: 4, keyValueHeads: 2, headDimension: 16,
            intermediate: 48, context: 256, ropeTheta: 1e4, rmsNormEpsilon: 1e-5, tiedEmbeddings: true,
            attentionBias: false)
        let layout = AdapterLayout(model: model, configuration: LoRAConfiguration())
        let adapter = Adapter.initial(layout: layout, seed: 1)
        for (layer, site, values) in [(0, LinearSite.query, expected.initialQ), (1, .value, expected.initialV)] {
            let place = try #require(layout.sites.first { $0.layer == layer && $0.site == site })
            let found = Array(adapter.values[place.offsetA..<(place.offsetA + 4)])
            #expect(found == values.compactMap { Float($0) })
            #expect(adapter.values[place.offsetB..<(place.offsetB + place.outputs * 8)].allSatisfy { $0 == 0 })
        }
    }

    @Test("The page quotes these values")
    func quoted() throws {
        let expected = try values()
        let page = try String(
            contentsOf: Self.here.appendingPathComponent(
                "../../Sources/Unlearning/Unlearning.docc/HowAnAdapterIsMade.md"), encoding: .utf8)
        var quotes = expected.input.split(separator: "\n").map(String.init)
        quotes += [expected.id, expected.digest, expected.manifest, expected.textSha256]
        for order in expected.orders { quotes.append(order.joined(separator: " ")) }
        for values in [expected.initialQ, expected.initialV] { quotes.append(values.joined(separator: ", ")) }
        for shards in [expected.userHash, expected.hash] {
            quotes.append("| \(shards.map(String.init).joined(separator: ", ")) |")
        }
        quotes.append("| \(expected.label) |")
        quotes.append(
            "| \(Split.allCases.compactMap { expected.splits[$0.rawValue].map(String.init) }.joined(separator: ", ")) |"
        )
        for quote in quotes { #expect(page.contains(quote), "\(quote)") }
        // What the page says of the text is what the code says.
        #expect(page.contains(PromptTemplate.header.trimmingCharacters(in: .newlines)))
        let instruction = try #require(try prompts().first).instruction
        #expect(page.contains(instruction))
    }
}
