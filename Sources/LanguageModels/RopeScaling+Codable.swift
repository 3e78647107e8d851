/// `{"linear": {"factor": …}}`, `{"llama3": {"factor": …, …}}` or `{"divisors": […]}`.
extension RopeScaling: Codable {
    private enum CodingKeys: String, CodingKey { case linear, llama3, divisors }
    private enum LinearKeys: String, CodingKey { case factor }
    private enum Llama3Keys: String, CodingKey {
        case factor, lowFrequencyFactor, highFrequencyFactor, originalContext
    }

    public init(from decoder: any Swift.Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if container.contains(.linear) {
            let values = try container.nestedContainer(keyedBy: LinearKeys.self, forKey: .linear)
            self = .linear(factor: try values.decode(Double.self, forKey: .factor))
        } else if container.contains(.llama3) {
            let values = try container.nestedContainer(keyedBy: Llama3Keys.self, forKey: .llama3)
            self = .llama3(
                factor: try values.decode(Double.self, forKey: .factor),
                lowFrequencyFactor: try values.decode(Double.self, forKey: .lowFrequencyFactor),
                highFrequencyFactor: try values.decode(Double.self, forKey: .highFrequencyFactor),
                originalContext: try values.decode(Int.self, forKey: .originalContext))
        } else {
            self = .divisors(try container.decode([Float].self, forKey: .divisors))
        }
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .linear(let factor):
            var values = container.nestedContainer(keyedBy: LinearKeys.self, forKey: .linear)
            try values.encode(factor, forKey: .factor)
        case .llama3(let factor, let low, let high, let context):
            var values = container.nestedContainer(keyedBy: Llama3Keys.self, forKey: .llama3)
            try values.encode(factor, forKey: .factor)
            try values.encode(low, forKey: .lowFrequencyFactor)
            try values.encode(high, forKey: .highFrequencyFactor)
            try values.encode(context, forKey: .originalContext)
        case .divisors(let divisors): try container.encode(divisors, forKey: .divisors)
        }
    }
}
