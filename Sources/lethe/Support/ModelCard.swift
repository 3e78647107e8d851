import Foundation
import Messages
import Recommendation
import Unlearning

/// The README.md of an export: what the adapters are, what they were made of, and how to load them with PEFT, alone and together.
///
/// Its head is the metadata that the Hugging Face Hub reads of a model card.
package struct ModelCard {
    private let adapters: [AdaptersReply.Adapter]
    private let baseModel: String?
    private let baseModelNote: String?
    private let audit: [AuditReply.Entry]
    private let statistics: LedgerStatistics
    private let certificateKey: Data
    private let prompts: PromptConfiguration?

    /// - `baseModel`: a Hub name or a path; nil: not named.
    /// - `baseModelNote`: what is to be known of the base model that was named; nil: nothing.
    /// - `audit`: of the log's newest entries, oldest first.
    /// - `statistics`: of the whole cluster.
    /// - `certificateKey`: raw Ed25519 public key that certificates are verified with.
    /// - `prompts`: how the cluster makes prompts; nil: not known.
    package init(
        adapters: [AdaptersReply.Adapter], baseModel: String? = nil, baseModelNote: String? = nil,
        audit: [AuditReply.Entry], statistics: LedgerStatistics, certificateKey: Data, prompts: PromptConfiguration?
    ) {
        self.adapters = adapters
        self.baseModel = baseModel
        self.baseModelNote = baseModelNote
        self.audit = audit
        self.statistics = statistics
        self.certificateKey = certificateKey
        self.prompts = prompts
    }

    private static let listedCertificates = 20

    package var text: String {
        [head, introduction, prompt, shards, training, evidence, loading].joined(separator: "\n\n") + "\n"
    }

    private var head: String {
        let base = baseModel.map { "base_model: \(Self.quoted($0))\n" } ?? ""
        return """
            ---
            \(base)library_name: peft
            tags:
            - lora
            - recommendation
            - machine-unlearning
            - lethe
            ---
            """
    }

    private var introduction: String {
        """
        # LoRA adapters of a recommender that can forget

        \(adapters.count == 1 ? "One adapter" : "\(adapters.count) adapters, one a shard of the data,") over one frozen base \
        model, trained by Lethe (APA, arXiv 2404.10327). The model is asked whether a person will like an item, and a score is \
        σ(logit of the token of \(words.yes) − logit of that of \(words.no)) at the last position of the prompt, each the \
        first token of the word as it follows the prompt.

        \(provenance)
        The base model's digest is `\(adapters.first?.training.specification.base ?? "")`.\(baseModelNote.map { " \($0)" } ?? "")
        """
    }

    private var provenance: String {
        func shards(_ adapters: [AdaptersReply.Adapter]) -> String {
            (adapters.count == 1 ? "adapter of shard " : "adapters of shards ")
                + adapters.map { String($0.shard) }.joined(separator: ", ")
        }
        let approximate = adapters.filter { !$0.training.isExact }
        let stages = adapters.filter(\.training.isStage)
        var said: [String] = []
        if !approximate.isEmpty {
            said.append(
                "The \(shards(approximate)) \(approximate.count == 1 ? "was" : "were") corrected approximately, not trained "
                    + "anew; provenance.json says how.")
        }
        if !stages.isEmpty {
            said.append(
                "The \(shards(stages)) had not been trained on all of the retained data when this was exported: after something was "
                    + "forgotten, what training on the first slices of it gives, bit for bit, answers until the rest is trained "
                    + "again.")
        }
        if said.isEmpty { return "Every adapter is what training on its shard's retained data gives, bit for bit." }
        if approximate.count + stages.count < adapters.count {
            said.append("The others are what training on the retained data gives, bit for bit.")
        }
        return said.joined(separator: " ")
    }

    private var frame: PromptFrame? { prompts.flatMap { try? PromptBuilder(configuration: $0).frame } }

    private var words: (yes: String, no: String) {
        (Self.quoted(frame?.words.yes ?? "Yes"), Self.quoted(frame?.words.no ?? "No"))
    }

    /// Of a person who does not exist.
    private var prompt: String {
        guard let prompts, let builder = try? PromptBuilder(configuration: prompts) else {
            return "Prompts have TALLRec's form."
        }
        return """
            Prompts look like this (of nobody, about items that do not exist):

            ```text
            \(builder.example.text)
            ```
            """
    }

    private var shards: String {
        let rows = adapters.map { adapter in
            let loss = adapter.training.epochLosses.last.map { decimal($0, 3) } ?? ""
            return "| `shard-\(adapter.shard)` | \(adapter.training.prompts) | \(adapter.method) | "
                + "\(Self.exactness(adapter.training)) | \(adapter.created) | \(loss) | `\(adapter.name)` |"
        }
        return """
            ## What they were made of

            The cluster has \(statistics.users) people, \(statistics.items) items and \(statistics.interactions) interactions.

            | folder | training prompts | method | exact | made | loss of the last epoch, nats | SHA-256 of the adapter |
            |---|---|---|---|---|---|---|
            \(rows.joined(separator: "\n"))
            """
    }

    /// "yes", "no", "stage 2 of 4, exact"
    private static func exactness(_ training: TrainingReport) -> String {
        training.isExact ? training.stageText ?? "yes" : "no"
    }

    private var training: String {
        guard let adapter = adapters.first else { return "" }
        let specification = adapter.training.specification
        var said = [
            "rank \(specification.lora.rank)", "α \(PlainNumber.text(specification.lora.alpha))",
            "on \(specification.lora.targets.map(\.rawValue).joined(separator: ", "))",
            "\(specification.epochs) epochs", "batch \(specification.batch)",
            "rate \(PlainNumber.text(specification.learningRate)) (\(specification.schedule.rawValue))",
            "\(specification.precision.rawValue)", "seed \(specification.seed)",
        ]
        if specification.dropout > 0 { said.append("dropout \(PlainNumber.text(specification.dropout))") }
        if specification.slices > 1 { said.append("in \(specification.slices) slices, one after the other") }
        switch specification.averaging {
        case .none: break
        case .steps: said.append("the mean over all steps")
        case .polynomial: said.append("the mean over all steps, later ones counting more")
        }
        if specification.heldOut > 0 {
            said.append("a share of \(PlainNumber.text(specification.heldOut)) held out to choose the epoch")
        }
        return """
            Training: \(said.joined(separator: ", ")). SHA-256 of the specification: `\(adapter.specificationDigest)`.
            """
    }

    private struct Finish: Decodable {
        /// SHA-256 of the request's id and of its certificate.
        var request: String?
        var certificate: String?
    }

    private var evidence: String {
        let key = certificateKey.base64EncodedString()
        var parts = [
            """
            ## What was forgotten

            \(statistics.forgetRequests) forget requests were acknowledged. Certificates are signed with the Ed25519 key `\(key)`.
            """
        ]
        if let last = audit.last {
            parts.append("The audit log had \(last.sequence) entries then; the last one's hash is `\(last.hash)`.")
        }
        let rows = audit.filter { $0.kind == "finish" }.suffix(Self.listedCertificates).reversed().map { entry in
            let detail = try? JSONDecoder().decode(Finish.self, from: Data(entry.detail.utf8))
            let (request, certificate) = (detail?.request ?? "", detail?.certificate ?? "")
            return "| \(entry.sequence) | \(entry.time) | `\(request)` | `\(certificate)` |"
        }
        if !rows.isEmpty {
            parts.append(
                """
                The newest certificates, by entry of the audit log; requests are named by the SHA-256 of their ids:

                | entry | finished | request | SHA-256 of the certificate |
                |---|---|---|---|
                \(rows.joined(separator: "\n"))
                """)
        }
        return parts.joined(separator: "\n\n")
    }

    private var loading: String {
        let names = adapters.map { "\"shard-\($0.shard)\"" }.joined(separator: ", ")
        let base = baseModel.map(Self.quoted) ?? "\"PATH OR NAME OF THE BASE MODEL\""
        return """
            ## Loading

            One adapter\(baseModel == nil ? " (no base model was named in the export: name it here)" : ""):

            ```python
            from peft import PeftModel
            from transformers import AutoModelForCausalLM

            base = AutoModelForCausalLM.from_pretrained(\(base))
            model = PeftModel.from_pretrained(base, "shard-\(adapters.first?.shard ?? 0)")
            ```

            All together with equal weights (what Lethe does where validation finds no better ones; APA(ND): the products B·A are
            added, which PEFT calls `cat`):

            ```python
            names = [\(names)]
            model = PeftModel.from_pretrained(base, names[0], adapter_name=names[0])
            for name in names[1:]:
                model.load_adapter(name, adapter_name=name)
            model.add_weighted_adapter(names, [1 / len(names)] * len(names), "mixture", combination_type="cat")
            model.set_adapter("mixture")
            ```

            Sample-adaptive weights belong to a query: `lethe query --explain` prints them, and they go where the equal ones stand.
            """
    }

    /// A string of YAML and of Python alike.
    private static func quoted(_ text: String) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
    }
}

/// Numbers as people write them.
enum PlainNumber {
    static func text(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? "\(value)" }
}
