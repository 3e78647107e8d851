import LanguageModels

/// λ as people write it: a number, a list of multiples of the mean curvature, or "prepared".
extension IFRUConfiguration.Damping: Codable {
    /// What ledgers of before have: `{"fixed": {"_0": 0.1}}`, `{"relative": {"_0": […]}}`, `{"prepared": {}}`.
    private enum OlderKeys: String, CodingKey { case fixed, relative, prepared }
    private enum OlderValue: String, CodingKey { case value = "_0" }

    public init(from decoder: any Swift.Decoder) throws {
        if let container = try? decoder.container(keyedBy: OlderKeys.self) {
            if let value = try? container.nestedContainer(keyedBy: OlderValue.self, forKey: .fixed) {
                self = .fixed(try value.decode(Double.self, forKey: .value))
            } else if let value = try? container.nestedContainer(keyedBy: OlderValue.self, forKey: .relative) {
                self = .relative(try value.decode([Double].self, forKey: .value))
            } else {
                _ = try container.nestedContainer(keyedBy: OlderValue.self, forKey: .prepared)
                self = .prepared
            }
            return
        }
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode(Double.self) {
            self = .fixed(value)
        } else if let values = try? container.decode([Double].self) {
            self = .relative(values)
        } else {
            guard try container.decode(String.self) == "prepared" else {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "neither a number, nor a list of numbers, nor \"prepared\"")
            }
            self = .prepared
        }
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .fixed(let value): try container.encode(value)
        case .relative(let values): try container.encode(values)
        case .prepared: try container.encode("prepared")
        }
    }
}
