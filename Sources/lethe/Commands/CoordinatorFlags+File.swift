import ArgumentParser
import Foundation
import LanguageModels
import Messages
import Unlearning

/// An option of the coordinator as the configuration file has it: its name with underscores in place of the dashes.
struct FileOption {
    let key: String
    /// Takes what the file says where the command line says nothing.
    let fill: (inout CoordinatorFlags, ConfigurationFile) throws -> Void
}

extension CoordinatorFlags {
    /// Every option, in the order of the command line.
    static var fileOptions: [FileOption] {
        [
            .init("data", \.data), .init("model", \.model), .init("listen", \.listen), .init("shards", \.shards),
            .init("partition", choice: \.partition), .init("seed", \.seed), .init("epochs", \.epochs),
            .init("batch", \.batch), .init("learning_rate", \.learningRate), .init("warmup_steps", \.warmupSteps),
            .init("weight_decay", \.weightDecay), .init("schedule", choice: \.schedule), .init("dropout", \.dropout),
            .init("held_out", \.heldOut), .init("slices", \.slices), .init("averaging", choice: \.averaging),
            .init("rank", \.rank), .init("alpha", \.alpha), .init("targets", choices: \.targets),
            .init("rule", choice: \.rule), .init("embedding_layer", \.embeddingLayer),
            .init("when_no_adapter", choice: \.whenNoAdapter), .init("while_retraining", choice: \.whileRetraining),
            .init("method", \.method), .init("prepare", \.prepare), .init("double_check", \.doubleCheck),
            .init("precision", choice: \.precision), .init("threads", \.threads),
            .init("weight_cache", \.weightCache), .init("keys_dir", \.keysDir), .init("master_key", \.masterKey),
            .init("keys", \.keys), .init("allow", list: \.allow), .init("allow_gateway", list: \.allowGateway),
            .init("allow_list", \.allowList), .init("open_loopback", flag: \.openLoopback),
            .init("expect", \.expect), .init("http", \.http),
        ]
    }

    /// Keys of the configuration file.
    package static var fileKeys: [String] { fileOptions.map(\.key) }

    /// Names of what the command line knows, as keys of a file: of each property that is an option.
    package static func optionKeys() throws -> [String] {
        try Mirror(reflecting: parse([])).children.compactMap(\.label).map { label in
            label.drop { $0 == "_" }.reduce(into: "") { key, character in
                key += character.isUppercase ? "_\(character.lowercased())" : String(character)
            }
        }
    }

    /// The file's options with these on top.
    package func overriding(file path: String?) throws -> CoordinatorFlags {
        guard let path else { return self }
        let file = try ConfigurationFile(path: path, options: Self.fileKeys)
        var merged = self
        for option in Self.fileOptions { try option.fill(&merged, file) }
        return merged
    }

    /// Puts what the file says of the approximate methods over the defaults.
    static func configure(_ corrections: inout CorrectionConfiguration, file path: String?) throws {
        guard let path else { return }
        try ConfigurationFile(path: path, options: fileKeys).configure(&corrections)
    }
}

extension FileOption {
    fileprivate init<Value: Decodable>(_ key: String, _ path: WritableKeyPath<CoordinatorFlags, Value?>) {
        self.init(key: key) { flags, file in
            let value: Value? = try file.value(key)
            flags[keyPath: path] = flags[keyPath: path] ?? value
        }
    }

    fileprivate init<Value: RawRepresentable<String>>(
        _ key: String, choice path: WritableKeyPath<CoordinatorFlags, Value?>
    ) {
        self.init(key: key) { flags, file in
            let name: String? = try file.value(key)
            guard flags[keyPath: path] == nil, let name else { return }
            flags[keyPath: path] = try file.choice(name)
        }
    }

    fileprivate init<Value: RawRepresentable<String>>(
        _ key: String, choices path: WritableKeyPath<CoordinatorFlags, [Value]>
    ) {
        self.init(key: key) { flags, file in
            let names: [String]? = try file.value(key)
            guard flags[keyPath: path].isEmpty, let names else { return }
            flags[keyPath: path] = try names.map(file.choice)
        }
    }

    fileprivate init(_ key: String, list path: WritableKeyPath<CoordinatorFlags, [String]>) {
        self.init(key: key) { flags, file in
            let names: [String]? = try file.value(key)
            if flags[keyPath: path].isEmpty { flags[keyPath: path] = names ?? [] }
        }
    }

    fileprivate init(_ key: String, flag path: WritableKeyPath<CoordinatorFlags, Bool>) {
        self.init(key: key) { flags, file in
            let isOn: Bool? = try file.value(key)
            if isOn == true { flags[keyPath: path] = true }
        }
    }
}
