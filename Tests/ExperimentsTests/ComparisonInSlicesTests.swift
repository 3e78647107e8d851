import Experiments
import Recommendation
import Testing
import TrainingTestSupport
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

    @Test("A sliced training after a request begins at the last clean stage and is another one than that in one slice")
    func sliced() throws {
        let options = ComparisonOptions(
            forget: [try #require(ForgetKind("user"))], seeds: 1, methods: [.retrainSliced, .apaND, .apaSliced],
            sequence: 0)
        let made = try #require(
            try ComparisonShop().cases(options, settings: ComparisonShop.settings(partition: .userHash, epochs: 4))
                .first)
        let report = try ComparisonShop.run(made)
        #expect(report.descriptions.first { $0.name == "sliced" }?.text.contains("another training") == true)
        let (whole, sliced) = (try #require(report.row(.retrain)), try #require(report.row(.retrainSliced)))
        let tokens = try [sliced, whole].map { try #require($0.effort?.request.trainedTokens) }
        #expect(tokens[0] > 0 && tokens[0] < tokens[1])
        // Another training, and as far from Retrain as two trainings are.
        #expect(sliced.completeness != whole.completeness)
        let shards = try [ComparisonMethod.apaSliced, .apaND].map { try #require(report.row($0)?.effort) }
        #expect(shards[0].parameters == shards[1].parameters)
        #expect(shards[0].request.trainedTokens <= shards[1].request.trainedTokens)
    }

    @Test("A request is charged for the steps that are taken, not for those in the stage that they begin at")
    func steps() throws {
        let options = ComparisonOptions(
            forget: [try #require(ForgetKind("user"))], seeds: 1, methods: [.retrainSliced], sequence: 0)
        let settings = ComparisonShop.settings(partition: .userHash, epochs: 4)
        let made = try #require(try ComparisonShop().cases(options, settings: settings).first)
        let model = LetterModel()
        let report = try MethodComparison.run(model: model, tokenizer: ByteTokenizer(), comparison: made)
        let taken = model.slopes.count { $0.contains { $0.yes != 0 } }
        let methods: [ComparisonMethod] = [.original, .retrain, .retrainSliced]
        let efforts = try methods.map { try #require(report.row($0)?.effort) }
        let (original, retrain, sliced) = (efforts[0], efforts[1], efforts[2])
        #expect(sliced.request.steps > 0 && sliced.request.steps < sliced.training.steps)
        let charged = [original.training, retrain.request, sliced.training, sliced.request]
        #expect(charged.reduce(0) { $0 + $1.steps } == taken)
    }

    @Test("In a cluster in slices the sliced rows are Retrain and APA with less effort, and the note says so")
    func cluster() throws {
        let options = ComparisonOptions(
            forget: [try #require(ForgetKind("user"))], seeds: 1, methods: [.retrainSliced, .apaND, .apaSliced],
            sequence: 0)
        let made = try #require(try ComparisonShop().cases(options, settings: settings(.userHash)).first)
        let report = try ComparisonShop.run(made)
        let pairs: [(ComparisonMethod, ComparisonMethod)] = [(.retrainSliced, .retrain), (.apaSliced, .apaND)]
        for (sliced, whole) in pairs {
            let rows = try [sliced, whole].map { try #require(report.row($0)) }
            #expect(rows[0].failure == nil && rows[0].completeness == rows[1].completeness)
            #expect(rows[0].utility == rows[1].utility)
            let tokens = try rows.map { try #require($0.effort?.request.trainedTokens) }
            #expect(tokens[0] <= tokens[1])
        }
        let note = try #require(report.descriptions.first { $0.name == "sliced" }?.text)
        #expect(note.contains("this cluster's 3 slices") && note.contains("the same"))
        #expect(!note.contains("another training"))
    }

    @Test("On one shard APA in slices is Retrain in slices, bit for bit and token for token")
    func oneShard() throws {
        let options = ComparisonOptions(
            forget: [try #require(ForgetKind("users:20%"))], seeds: 1, methods: [.retrainSliced, .apaSliced],
            sequence: 0)
        let settings = ComparisonShop.settings(shards: 1, partition: .hash, epochs: 4)
        let made = try #require(try ComparisonShop().cases(options, settings: settings).first)
        let report = try ComparisonShop.run(made)
        let (retrain, apa) = (try #require(report.row(.retrainSliced)), try #require(report.row(.apaSliced)))
        #expect(apa.failure == nil && apa.completeness == retrain.completeness && apa.utility == retrain.utility)
        #expect(apa.effort?.request.trainedTokens == retrain.effort?.request.trainedTokens)
    }
}
