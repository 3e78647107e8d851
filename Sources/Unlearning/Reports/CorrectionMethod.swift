/// An approximate method with everything but data, model and adapter that determines a correction.
public enum CorrectionMethod: Hashable, Sendable {
    /// arXiv 2403.03536
    case e2urec(E2URecConfiguration)
    /// arXiv 2307.02147
    case ifru(IFRUConfiguration)

    public var name: ApproximateMethod {
        switch self {
        case .e2urec: .e2urec
        case .ifru: .ifru
        }
    }
}

/// `{"method": "ifru", "settings": {…}}`
extension CorrectionMethod: Codable {
    private enum CodingKeys: String, CodingKey { case method, settings }
    /// What ledgers of before have: `{"ifru": {"_0": {…}}}`.
    private enum OlderKeys: String, CodingKey { case e2urec, ifru }
    private enum OlderValue: String, CodingKey { case settings = "_0" }

    public init(from decoder: any Swift.Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let method = try container.decodeIfPresent(ApproximateMethod.self, forKey: .method) {
            switch method {
            case .e2urec: self = .e2urec(try container.decode(E2URecConfiguration.self, forKey: .settings))
            case .ifru: self = .ifru(try container.decode(IFRUConfiguration.self, forKey: .settings))
            }
            return
        }
        let older = try decoder.container(keyedBy: OlderKeys.self)
        if older.contains(.e2urec) {
            let value = try older.nestedContainer(keyedBy: OlderValue.self, forKey: .e2urec)
            self = .e2urec(try value.decode(E2URecConfiguration.self, forKey: .settings))
        } else {
            let value = try older.nestedContainer(keyedBy: OlderValue.self, forKey: .ifru)
            self = .ifru(try value.decode(IFRUConfiguration.self, forKey: .settings))
        }
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .method)
        switch self {
        case .e2urec(let settings): try container.encode(settings, forKey: .settings)
        case .ifru(let settings): try container.encode(settings, forKey: .settings)
        }
    }
}
