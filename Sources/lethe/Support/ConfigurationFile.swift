import Foundation
import Messages

/// A coordinator's options as a JSON file: the flags' names with underscores. Unknown keys are refused, so that a slip of
/// the pen does not start a cluster with other settings than meant.
struct ConfigurationFile: Decodable {
    var data: String?
    var model: String?
    var listen: String?
    var shards: Int?
    var partition: String?
    var seed: UInt64?
    var epochs: Int?
    var batch: Int?
    var learningRate: Double?
    var warmupSteps: Int?
    var weightDecay: Double?
    var schedule: String?
    var dropout: Double?
    var heldOut: Double?
    var slices: Int?
    var averaging: String?
    var rank: Int?
    var alpha: Double?
    var targets: [String]?
    var rule: String?
    var embeddingLayer: Int?
    var whenNoAdapter: String?
    var whileRetraining: String?
    var method: String?
    var prepare: String?
    var doubleCheck: String?
    var precision: String?
    var threads: Int?
    var weightCache: String?
    var keysDir: String?
    var masterKey: String?
    var keys: String?
    var allow: [String]?
    var allowGateway: [String]?
    var allowList: String?
    var openLoopback: Bool?

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case data, model, listen, shards, partition, seed, epochs, batch, rank, alpha, targets, rule, method, precision
        case threads, keys, allow, prepare, e2urec, ifru, schedule, dropout, slices, averaging
        case allowGateway = "allow_gateway"
        case allowList = "allow_list"
        case openLoopback = "open_loopback"
        case learningRate = "learning_rate"
        case warmupSteps = "warmup_steps"
        case weightDecay = "weight_decay"
        case heldOut = "held_out"
        case embeddingLayer = "embedding_layer"
        case whenNoAdapter = "when_no_adapter"
        case whileRetraining = "while_retraining"
        case weightCache = "weight_cache"
        case keysDir = "keys_dir"
        case masterKey = "master_key"
        case doubleCheck = "double_check"
    }

    /// As they stand in the file.
    private var e2urec: [String: ConfigurationValue]?
    private var ifru: [String: ConfigurationValue]?

    init(path: String) throws {
        guard let content = FileManager.default.contents(atPath: path) else {
            throw CommandFailure(.badInput, "cannot read \(path)")
        }
        try self.init(content, path: path)
    }

    /// Puts what the file says of the approximate methods over the defaults.
    func configure(_ corrections: inout CorrectionConfiguration) throws {
        corrections.e2urec = try ConfigurationValue.overriding(corrections.e2urec, e2urec ?? [:], of: "e2urec")
        corrections.ifru = try ConfigurationValue.overriding(corrections.ifru, ifru ?? [:], of: "ifru")
        do {
            try corrections.e2urec.check()
            try corrections.ifru.check()
        } catch {
            throw CommandFailure(.badInput, "the configuration file: \(error)")
        }
    }

    init(_ content: Data, path: String) throws {
        guard let object = try? JSONSerialization.jsonObject(with: content) as? [String: Any] else {
            throw CommandFailure(.badInput, "\(path) is no JSON object")
        }
        // What `lethe config --json` says beside the options.
        let known = Set(CodingKeys.allCases.map(\.rawValue) + ["schema_version", "cluster", "recorded", "prompts"])
        let unknown = object.keys.filter { !known.contains($0) }.sorted()
        guard unknown.isEmpty else {
            throw CommandFailure(.badInput, "\(path): unknown keys \(unknown.joined(separator: ", "))")
        }
        guard object["schema_version"].map({ $0 as? Int == Output.schemaVersion }) ?? true else {
            throw CommandFailure(.badInput, "\(path): schema_version must be \(Output.schemaVersion)")
        }
        do {
            self = try JSONDecoder().decode(ConfigurationFile.self, from: content)
        } catch DecodingError.typeMismatch(_, let context), DecodingError.dataCorrupted(let context) {
            let key = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw CommandFailure(.badInput, "\(path): \(key) has the wrong type")
        }
    }

    /// A named choice.
    func value<Value>(_ text: String?, _ make: (String) -> Value?) throws -> Value? {
        guard let text else { return nil }
        guard let value = make(text) else {
            throw CommandFailure(.badInput, "the configuration file: \(text) is not one of the possible values")
        }
        return value
    }
}
