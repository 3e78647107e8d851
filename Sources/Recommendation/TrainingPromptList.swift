/// Prompts as they are sent and kept: the frame that they share is written once.
///
/// Without frames, or with several, the JSON is an array of the prompts, as in releases that had no frames; with one it is
/// `{"frame": …, "prompts": […]}`.
public struct TrainingPromptList: Codable, Hashable, Sendable {
    public var prompts: [TrainingPrompt]

    public init(_ prompts: [TrainingPrompt]) { self.prompts = prompts }

    private enum CodingKeys: String, CodingKey { case frame, prompts }

    public init(from decoder: any Decoder) throws {
        guard let container = try? decoder.container(keyedBy: CodingKeys.self) else {
            prompts = try decoder.singleValueContainer().decode([TrainingPrompt].self)
            return
        }
        let frame = try container.decode(PromptFrame.self, forKey: .frame)
        prompts = try container.decode([TrainingPrompt].self, forKey: .prompts)
        for index in prompts.indices { prompts[index].frame = frame }
    }

    public func encode(to encoder: any Encoder) throws {
        guard let frame = prompts.first?.frame, prompts.allSatisfy({ $0.frame == frame }) else {
            var container = encoder.singleValueContainer()
            try container.encode(prompts)
            return
        }
        var bare = prompts
        for index in bare.indices { bare[index].frame = nil }
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(frame, forKey: .frame)
        try container.encode(bare, forKey: .prompts)
    }
}
