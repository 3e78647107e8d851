import ArgumentParser
import Client
import Experiments
import Foundation
import LanguageModels
import Messages
import Unlearning

extension AdaptersCommand {
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write every adapter as a PEFT directory, with a model card and how it was made.",
            discussion: """
                Each folder shard-K holds PEFT's two files, provenance.json (the training's report) and losses.svg. README.md is a \
                model card: method, data, certificates, and how to load one adapter or their mixture in Python.

                The files are yours: who may read them follows your umask.
                """)

        @Argument(help: "Where to; one folder shard-K for each shard.")
        var directory: String

        @Option(
            help: """
                The base model as PEFT is to find it: a name of the Hugging Face Hub, or a directory, which is compared with the \
                cluster's. Without it, who loads an adapter names the model.
                """)
        var baseModelName: String?

        @OptionGroup var client: ClientOptions

        private struct Summary: Encodable {
            var directories: [String]
            /// Those of `directories` whose adapter was corrected, not trained.
            var approximate: [String]
            /// Those whose adapter is a stage: not trained on all of its shard's data yet.
            var stages: [String]
            /// The model card.
            var card: String
        }

        func validate() throws {
            guard baseModelName.map({ !$0.isEmpty && !$0.contains(where: \.isNewline) }) ?? true else {
                throw ValidationError("--base-model-name is a name or a directory, on one line")
            }
        }

        func run() throws {
            try client.withClient { coordinator in
                let listed = try ReplyCoding.decode(AdaptersReply.self, from: coordinator.call(.adapters).body)
                guard !listed.adapters.isEmpty else {
                    throw CommandFailure(.notReady, "there is no adapter to export; run `lethe train` first")
                }
                let base = try baseModelName.map { try NamedBaseModel($0, of: listed) }
                let root = URL(fileURLWithPath: directory)
                var written: [String] = []
                var stages: [String: String] = [:]
                var approximate: [String] = []
                for adapter in listed.adapters {
                    let reply = try coordinator.call(.exportAdapter(name: adapter.name))
                    guard let bytes = reply.payloads.first else {
                        throw CommandFailure(.failed, "the reply holds no adapter")
                    }
                    let target = root.appendingPathComponent("shard-\(adapter.shard)")
                    let layout = AdapterLayout(model: listed.model, configuration: adapter.training.specification.lora)
                    try Adapter(safetensors: bytes, layout: layout)
                        .write(toDirectory: target.path, model: listed.model, baseModelName: base?.name)
                    try AdapterProvenanceFiles(adapter).write(to: target)
                    written.append(target.path)
                    if !adapter.training.isExact { approximate.append(target.path) }
                    if let text = adapter.training.stageText { stages[target.path] = text }
                }
                let card = root.appendingPathComponent("README.md")
                try Data(try self.card(of: listed, base: base, coordinator).text.utf8).write(to: card, options: .atomic)
                if let note = base?.note { Output.note("warning: \(note)") }
                try client.output.emit(
                    Summary(
                        directories: written, approximate: approximate, stages: written.filter { stages[$0] != nil },
                        card: card.path),
                    done: "the adapters are in \(root.path)"
                ) {
                    let lines = written.map { path in
                        approximate.contains(path)
                            ? "\(path) (approximate)" : path + (stages[path].map { " (\($0))" } ?? "")
                    }
                    return (lines + [card.path]).joined(separator: "\n")
                }
            }
        }

        private func card(
            of listed: AdaptersReply, base: NamedBaseModel?, _ coordinator: CoordinatorClient
        ) throws -> ModelCard {
            let status = try ReplyCoding.decode(StatusReply.self, from: coordinator.call(.status).body)
            let after = max(0, status.statistics.auditEntries - ClientRequest.AuditRequest.largest)
            let log = try coordinator.call(.audit(.init(after: after)))
            let configuration = try ReplyCoding.decode(
                ConfigurationReply.self, from: coordinator.call(.configuration).body)
            return ModelCard(
                adapters: listed.adapters, baseModel: base?.name, baseModelNote: base?.note,
                audit: try ReplyCoding.decode(AuditReply.self, from: log.body).entries,
                statistics: status.statistics, certificateKey: status.certificateKey,
                prompts: configuration.prompts)
        }
    }
}

/// The base model that an export names.
private struct NamedBaseModel {
    var name: String
    /// What who uses it must know; nil: it is the cluster's own, or a name that cannot be looked at.
    var note: String?

    /// - Throws: `CommandFailure.badInput`: a file, or a directory with no model of the cluster's shape.
    init(_ given: String, of cluster: AdaptersReply) throws {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: given, isDirectory: &isDirectory) else {
            name = given
            return
        }
        guard isDirectory.boolValue else {
            throw CommandFailure(
                .badInput, "PEFT loads a base model from a Hugging Face directory or by its name; \(given) is a file")
        }
        name = URL(fileURLWithPath: given).standardizedFileURL.path
        let model: LoadedModel
        do { model = try ModelLoader.load(path: given) } catch {
            throw CommandFailure(.badInput, "\(given) is not a base model: \(CommandFailure(error).message)")
        }
        var (own, named) = (cluster.model, model.checkpoint.configuration)
        // These differ between files of one model: a shorter context may be configured, embeddings may be stored twice.
        (own.context, own.tiedEmbeddings) = (named.context, named.tiedEmbeddings)
        (own.ropeScaling, named.ropeScaling) = (nil, nil)
        guard own == named else {
            throw CommandFailure(.badInput, "\(given) is a model of another shape than the cluster's")
        }
        let digest = cluster.adapters.first?.training.specification.base
        if digest != model.checkpoint.digest {
            note = """
                The weights of the named base model are not the ones that the adapters were trained over (another file or \
                another quantisation: digest \(model.checkpoint.digest.prefix(16))…): scores will differ somewhat.
                """
        }
    }
}

/// What lies beside PEFT's two files, which have no place for it.
private struct AdapterProvenanceFiles {
    private struct Provenance: Encodable {
        var name: String
        var method: String
        var exact: Bool
        var created: String
        var approximation: CorrectionReport?
        var training: TrainingReport
    }

    private let adapter: AdaptersReply.Adapter

    init(_ adapter: AdaptersReply.Adapter) { self.adapter = adapter }

    func write(to directory: URL) throws {
        let provenance = Provenance(
            name: adapter.name, method: adapter.method, exact: adapter.training.isExact, created: adapter.created,
            approximation: adapter.training.correction, training: adapter.training)
        try ReplyCoding.encode(provenance)
            .write(to: directory.appendingPathComponent("provenance.json"), options: .atomic)
        let figure = directory.appendingPathComponent("losses.svg")
        guard let svg = TrainingFigure.losses(of: adapter.training, shard: adapter.shard) else {
            // One of an earlier export would show another adapter's training.
            try? FileManager.default.removeItem(at: figure)
            return
        }
        try Data(svg.utf8).write(to: figure, options: .atomic)
    }
}
