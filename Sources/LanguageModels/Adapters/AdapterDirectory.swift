import Foundation

extension Adapter {
    private static let weightsName = "adapter_model.safetensors"
    private static let configurationName = "adapter_config.json"

    /// Writes `adapter_config.json` and `adapter_model.safetensors` as PEFT reads them; creates the directory. The file's bytes
    /// are those that the adapter is named by, unless the base model's modules hold several layers in one.
    ///
    /// - `model`: of the base model.
    /// - `baseModelName`: where PEFT finds the base model, a path or a name of the Hugging Face Hub; nil: whoever loads the
    ///   adapter says it.
    public func write(toDirectory directory: String, model: ModelConfiguration, baseModelName: String?) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let written = PEFTAdapter(self, model: model)
        let configuration = PEFTConfiguration(layout.configuration, written, baseModelName: baseModelName)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let target = URL(fileURLWithPath: directory)
        try Data(written.bytes).write(to: target.appendingPathComponent(Self.weightsName), options: .atomic)
        try encoder.encode(configuration)
            .write(to: target.appendingPathComponent(Self.configurationName), options: .atomic)
    }

    /// Reads an adapter that PEFT or `write(toDirectory:model:baseModelName:)` saved for a base model of this shape.
    ///
    /// - Throws: `.missingFile`; `.adapterMismatch` when the configuration asks for anything that a plain LoRA of one rank
    ///   on all layers cannot represent, or when a factor is missing; `.wrongShape` or `.malformedFile` for its weights;
    ///   `.notFinite`.
    public init(directory: String, model: ModelConfiguration) throws {
        let path = "\(directory)/\(Self.configurationName)"
        let file = try MappedFile(path: path)
        let json = try file.withBytes { try JSONParser.parse($0, path: path) }
        let weights = try MappedFile(path: "\(directory)/\(Self.weightsName)")
        let ranks = try StoredRanks(peft: json, model: model)
        let dealt = try weights.withBytes {
            try PEFTAdapter.dealt($0, path: weights.path, model: model, ranks: ranks)
        }
        func withBytes<Value>(_ body: (UnsafeRawBufferPointer) throws -> Value) throws -> Value {
            if let dealt { return try dealt.withUnsafeBytes(body) }
            return try weights.withBytes(body)
        }
        let adapted = try withBytes { bytes in
            try SafetensorsHeader(bytes, path: weights.path).entries.compactMap { PEFTName($0.name)?.site }
        }
        let layout = AdapterLayout(
            model: model,
            configuration: try LoRAConfiguration(peft: json, ranks: ranks, model: model, adapted: Set(adapted)))
        try self.init(layout: layout, path: weights.path) { body in try withBytes(body) }
        try checkFinite()
    }
}

/// What `adapter_config.json` says of an adapter of ours.
private struct PEFTConfiguration: Encodable {
    var type = "LORA"
    var task = "CAUSAL_LM"
    var baseModel: String?
    var rank: Int
    var alpha: Double
    var dropout = 0
    var targets: [String]
    var bias = "none"
    var fanInFanOut = false
    var inferenceMode = true
    var initialisesWeights = true
    var usesRootOfRank = false
    var usesDoRA = false

    enum CodingKeys: String, CodingKey {
        case type = "peft_type"
        case task = "task_type"
        case baseModel = "base_model_name_or_path"
        case rank = "r"
        case alpha = "lora_alpha"
        case dropout = "lora_dropout"
        case targets = "target_modules"
        case bias
        case fanInFanOut = "fan_in_fan_out"
        case inferenceMode = "inference_mode"
        case initialisesWeights = "init_lora_weights"
        case usesRootOfRank = "use_rslora"
        case usesDoRA = "use_dora"
    }

    init(_ configuration: LoRAConfiguration, _ written: PEFTAdapter, baseModelName: String?) {
        baseModel = baseModelName
        rank = written.rank
        let perRank = configuration.alpha / Double(configuration.rank)
        alpha = rank == configuration.rank ? configuration.alpha : perRank * Double(rank)
        targets = written.targets
    }
}

extension StoredRanks {
    /// Of a base model whose modules hold several layers each may have a rank of its own, all with the same alpha / r.
    ///
    /// - Throws: `LanguageModelError.adapterMismatch`, also for a pattern of which it is not plain which modules it means: PEFT
    ///   takes any end of a module's path, and expressions.
    init(peft json: JSONValue, model: ModelConfiguration) throws {
        func mismatch(_ reason: String) -> LanguageModelError { .adapterMismatch(reason: reason) }
        guard let usual = json["r"]?.integer, usual > 0 else { throw mismatch("its rank r is missing or not positive") }
        let shapes = LinearSite.allCases.map { model.shape(of: $0) }
        let largest = shapes.map { max($0.inputs, $0.outputs) }.max() ?? 0
        guard usual <= largest else { throw mismatch("its rank \(usual) exceeds the width of every layer") }
        var own: [String: Int] = [:]
        if !FusedModule.all(of: model).isEmpty {
            let modules = (json["target_modules"]?.array ?? []).compactMap {
                $0.string?.split(separator: ".").last.map(String.init)
            }
            for pattern in ["rank_pattern", "alpha_pattern"] {
                for (key, _) in json[pattern]?.members ?? [] where modules.count(where: { $0 == key }) != 1 {
                    throw mismatch("\(pattern) has \(key), which is not the plain name of one of its target modules")
                }
            }
            guard let alpha = json["lora_alpha"]?.number else { throw mismatch("lora_alpha is missing") }
            let scale = alpha / Double(usual)
            for module in modules {
                let rank = json["rank_pattern"]?[module]?.integer ?? usual
                guard (1...largest).contains(rank) else {
                    throw mismatch("the rank \(rank) of \(module) is none, or exceeds the width of every layer")
                }
                let others = json["alpha_pattern"]?[module]?.number ?? alpha
                guard abs(others / Double(rank) - scale) < 1e-9 else {
                    throw mismatch("its modules differ in lora_alpha / r, which is not supported")
                }
                own[module] = rank
            }
            guard json["use_rslora"]?.bool != true || own.values.allSatisfy({ $0 == usual }) else {
                throw mismatch("use_rslora with rank_pattern is not supported")
            }
        }
        self.init(usual: usual, own: own)
    }
}

extension LoRAConfiguration {
    /// Keys that do not change what a loaded adapter computes.
    private static let harmless: Set<String> = [
        "auto_mapping", "base_model_name_or_path", "corda_config", "eva_config", "inference_mode", "layers_pattern",
        "lora_dropout", "lora_ga_config", "megatron_core", "peft_version", "qalora_group_size", "revision",
        "runtime_config", "task_type",
    ]
    private static let understood: Set<String> = [
        "peft_type", "r", "lora_alpha", "target_modules", "bias", "use_rslora", "init_lora_weights",
    ]
    /// Of modules that hold several layers.
    private static let patterns: Set<String> = ["rank_pattern", "alpha_pattern"]
    /// Ways to draw the first A and B that leave the base model as it is.
    private static let initialisations: Set<String> = ["gaussian", "eva", "orthogonal"]

    /// - `adapted`: the sites that the weights have factors for.
    init(peft json: JSONValue, ranks: StoredRanks, model: ModelConfiguration, adapted: Set<LinearSite>) throws {
        func mismatch(_ reason: String) -> LanguageModelError { .adapterMismatch(reason: reason) }
        guard let members = json.members else { throw mismatch("its configuration is not a JSON object") }
        let kind = json["peft_type"]?.string ?? "unknown"
        guard kind == "LORA" else { throw mismatch("it is of PEFT's type \(kind); LORA is supported") }
        let patterns = FusedModule.all(of: model).isEmpty ? [] : Self.patterns
        for (key, value) in members
        where !Self.harmless.contains(key) && !Self.understood.contains(key) && !patterns.contains(key) {
            guard value.isAbsent else { throw mismatch("\(key) is set, which is not supported") }
        }
        if let bias = json["bias"]?.string, bias != "none" { throw mismatch("bias is \(bias); none is supported") }
        if let name = json["init_lora_weights"]?.string, !Self.initialisations.contains(name) {
            throw mismatch("its initialisation \(name) changes the base model")
        }
        guard let alpha = json["lora_alpha"]?.number else { throw mismatch("lora_alpha is missing") }
        // The layers get the largest rank, the others' factors zeros; alpha / r is the same for all.
        let rank = ranks.largest
        let wide = rank == ranks.usual ? alpha : alpha / Double(ranks.usual) * Double(rank)
        let usesRootOfRank = json["use_rslora"]?.bool ?? false
        self.init(
            rank: rank,
            // rsLoRA (arXiv 2312.03732) scales by alpha / √rank.
            alpha: usesRootOfRank ? wide * Double(rank).squareRoot() : wide,
            targets: try Self.targets(json["target_modules"], adapted: adapted, model: model))
    }

    /// PEFT takes the ends of modules' paths ("q_proj", "self_attn.q_proj", "layers.0.self_attn.q_proj") or a regular expression
    /// ("all-linear" is one in a word). What a path or an expression chose shows in the factors that were saved: no expression
    /// of somebody else's is run. The layout then demands those factors of every layer, and none besides.
    private static func targets(
        _ value: JSONValue?, adapted: Set<LinearSite>, model: ModelConfiguration
    ) throws -> [LinearSite] {
        func mismatch(_ reason: String) -> LanguageModelError { .adapterMismatch(reason: reason) }
        let saved = LinearSite.allCases.filter(adapted.contains)
        if value?.string != nil {
            guard !saved.isEmpty else { throw mismatch("its weights hold no factors for the blocks' linear layers") }
            return saved
        }
        guard let names = value?.array, !names.isEmpty else {
            throw mismatch("target_modules is neither a list of module names nor an expression")
        }
        let fused = FusedModule.all(of: model)
        let sites = try names.flatMap { name in
            if let module = fused.first(where: { $0.name == name.string?.split(separator: ".").last.map(String.init) })
            {
                return module.sites
            }
            guard let site = name.string.flatMap(Self.site(ofModule:)) else {
                throw mismatch("the target module \(name.string ?? "(none)"); the blocks' linear layers are supported")
            }
            return [site]
        }
        return Set(sites).count == sites.count ? sites : LinearSite.allCases.filter(Set(sites).contains)
    }

    private static func site(ofModule path: String) -> LinearSite? {
        let parts = path.split(separator: ".", omittingEmptySubsequences: false)
        guard let site = parts.last.flatMap({ LinearSite(rawValue: String($0)) }) else { return nil }
        // A path is the end of a module's: "model.layers.3.self_attn.q_proj".
        let whole = "model.layers.*.\(site.module)".split(separator: ".")
        guard parts.count <= whole.count else { return nil }
        let fits = zip(parts.reversed(), whole.reversed()).allSatisfy { part, expected in
            expected == "*" ? UInt16(part) != nil : part == expected
        }
        return fits ? site : nil
    }
}

extension JSONValue {
    /// Null, false, and empty lists and objects: how PEFT writes that an option is not used.
    fileprivate var isAbsent: Bool {
        switch self {
        case .null: true
        case .bool(let flag): !flag
        case .array(let values): values.isEmpty
        case .object(let members): members.isEmpty
        case .string, .number: false
        }
    }
}
