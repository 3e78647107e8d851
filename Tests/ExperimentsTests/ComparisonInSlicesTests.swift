import Experiments
import Recommendation
import Testing
import Unlearning

@Suite("A comparison of methods in slices")
struct ComparisonInSlicesTests {
    private func settings(_ partition: PartitionMethod) -> ComparisonSettings {
        var settings = ComparisonShop.settings(partition: partition, epochs: 4)
        settings.specification.slices = 3
        return settings
    }

    private func cases(_ partition: PartitionMethod) throws -> [ComparisonCase] {
        let options = ComparisonOptions(
            forget: [try #require(ForgetKind("users:25%")), try #require(ForgetKind("interaction:2"))], seeds: 1)
        return try ComparisonShop().cases(options, settings: settings(partition))
    }

    @Test("Prompts are dealt as the cluster deals them: by user where users are whole, else one by one")
    func dealing() throws {
        for partition in [PartitionMethod.user, .userHash] {
            let made = try #require(try cases(partition).first)
            let dealing = SliceDealing(made.settings.specification)
            let source = try ComparisonShop().source
            for prompt in made.training + made.validation + made.test {
                #expect(prompt.prompt.slice == dealing.slice(ofUser: source.people[prompt.user].user))
            }
            for batch in made.batches {
                for replaced in batch.training.replaced {
                    let old = made.training.first { $0.prompt.id == replaced.new.prompt.id }
                    #expect(replaced.new.prompt.slice == old?.prompt.slice && old != nil)
                }
            }
        }
        for partition in [PartitionMethod.hash, .semantic] {
            let made = try #require(try cases(partition).first)
            #expect((made.training + made.test).allSatisfy { $0.prompt.slice == nil })
        }
    }

    @Test("Every method runs on trainings in slices", arguments: [PartitionMethod.userHash, .hash])
    func runs(partition: PartitionMethod) throws {
        let made = try #require(try cases(partition).first)
        let report = try ComparisonShop.run(made)
        for method in made.methods {
            #expect(report.rows.contains { $0.method == method }, "\(method.rawValue)")
        }
    }
}
