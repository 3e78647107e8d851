/// The settings of a prompt configuration that people give one by one, named as on the command line.
public enum PromptField: String, Codable, CaseIterable, Hashable, Sendable {
    case method = "protocol"
    case domain, history
    case likeAbove = "like-above"
    case fraction
    case validationFraction = "validation-fraction"
    case testFraction = "test-fraction"
    case sampleSeed = "sample-seed"
    case titleBytes = "title-bytes"
    case template
    case chat = "chat-template"

    /// A setting that is not what it was.
    public struct Change: Codable, Hashable, Sendable {
        public var field: PromptField
        public var recorded: String
        public var given: String
    }

    public func text(in configuration: PromptConfiguration) -> String {
        switch self {
        case .method: configuration.method.rawValue
        case .domain: configuration.domain.text
        case .history: "\(configuration.historyLength)"
        case .likeAbove: "\(configuration.likeAbove)"
        case .fraction: "\(configuration.trainFraction)"
        case .validationFraction: "\(configuration.validationFraction)"
        case .testFraction: "\(configuration.testFraction)"
        case .sampleSeed: "\(configuration.seed)"
        case .titleBytes: "\(configuration.titleBytes)"
        case .template: configuration.template.map { "sha256:\($0.digest.prefix(16))" } ?? "none"
        case .chat: configuration.chat.map { "\($0.style) sha256:\($0.digest.prefix(16))" } ?? "none"
        }
    }

    fileprivate func copy(from given: PromptConfiguration, to configuration: inout PromptConfiguration) {
        switch self {
        case .method: configuration.method = given.method
        case .domain: configuration.domain = given.domain
        case .history: configuration.historyLength = given.historyLength
        case .likeAbove: configuration.likeAbove = given.likeAbove
        case .fraction: configuration.trainFraction = given.trainFraction
        case .validationFraction: configuration.validationFraction = given.validationFraction
        case .testFraction: configuration.testFraction = given.testFraction
        case .sampleSeed: configuration.seed = given.seed
        case .titleBytes: configuration.titleBytes = given.titleBytes
        case .template: configuration.template = given.template
        case .chat: configuration.chat = given.chat
        }
    }
}

extension PromptConfiguration {
    /// This configuration with some fields of another one.
    public func taking(_ fields: some Sequence<PromptField>, from given: PromptConfiguration) -> PromptConfiguration {
        var changed = self
        for field in fields { field.copy(from: given, to: &changed) }
        return changed
    }

    /// The fields in which another configuration differs.
    public func changes(to given: PromptConfiguration) -> [PromptField.Change] {
        PromptField.allCases.compactMap { field in
            let (recorded, new) = (field.text(in: self), field.text(in: given))
            return recorded == new ? nil : PromptField.Change(field: field, recorded: recorded, given: new)
        }
    }
}
