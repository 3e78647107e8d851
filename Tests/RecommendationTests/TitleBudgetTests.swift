import Foundation
import Recommendation
import Testing

@Suite("Titles within their bytes")
struct TitleBudgetTests {
    private func inputs(_ titles: [String], bytes: Int, history: Int = 2) throws -> [String] {
        let builder = try PromptBuilder(
            configuration: PromptConfiguration(historyLength: history, titleBytes: bytes))
        let rows = titles.indices.map {
            Interaction(user: "u", item: "\($0)", timestamp: Int64($0), rating: 5, ordinal: Int64($0))
        }
        return builder.prompts(user: "u", interactions: rows, titles: { Int($0).map { titles[$0] } }).map(\.input)
    }

    private func shown(_ input: String) -> [String] {
        input.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
            .filter { !$0.offset.isMultiple(of: 2) }.map { String($0.element) }
    }

    @Test("Titles that fit stay byte for byte; of those that do not, the longest are cut to one length")
    func cut() throws {
        let fitting = ["short", String(repeating: "b", count: 50), "c"]
        #expect(try inputs(fitting, bytes: 64).map(shown) == [fitting])
        let long = ["short", String(repeating: "b", count: 500), String(repeating: "c", count: 90)]
        let titles = try #require(try inputs(long, bytes: 105).map(shown).first)
        #expect(titles[0] == "short")
        #expect(titles[1] == String(repeating: "b", count: 47) + "…")
        #expect(titles[2] == String(repeating: "c", count: 47) + "…")
        #expect(titles.map(\.utf8.count).reduce(0, +) <= 105)
    }

    @Test(
        "In every script, and for characters as long as a title, the bytes hold and the text is whole",
        arguments: ["ꯃꯤꯇꯩ", "日本語", "👩‍👩‍👧‍👦", "e\u{301}", "Z" + String(repeating: "\u{336}", count: 3000)])
    func scripts(_ sample: String) throws {
        let title = String(repeating: sample, count: 400)
        for bytes in [64, 65, 66, 67, 999, PromptConfiguration.defaultTitleBytes] {
            for input in try inputs([title, title, title, "t"], bytes: bytes) {
                #expect(shown(input).map(\.utf8.count).reduce(0, +) <= bytes)
                #expect(!input.contains("\u{FFFD}"))
            }
        }
    }

    @Test("One person's long titles change no other person's prompts, and are named")
    func onlyOwn() throws {
        let configuration = PromptConfiguration(historyLength: 1)
        let builder = try PromptBuilder(configuration: configuration)
        let rows = ["u", "v"].flatMap { user in
            (0..<3).map {
                Interaction(user: user, item: "\(user)\($0)", timestamp: Int64($0), rating: 5, ordinal: Int64($0))
            }
        }
        let long = String(repeating: "ꯃ", count: 3000)
        let titles: (String) -> String? = { $0.hasPrefix("u") ? $0 + long : $0 }
        for user in ["u", "v"] {
            let prompts = builder.prompts(user: user, interactions: rows, titles: titles)
            #expect(prompts.allSatisfy { builder.shortens($0, titles: titles) == (user == "u") })
            #expect(prompts.allSatisfy { $0.text.utf8.count < 8192 })
        }
    }

    @Test("A configuration of before decodes to the default, and equals it")
    func older() throws {
        var json = try #require(
            JSONSerialization.jsonObject(with: JSONEncoder().encode(PromptConfiguration())) as? [String: Any])
        json["titleBytes"] = nil
        let decoded = try JSONDecoder().decode(
            PromptConfiguration.self, from: JSONSerialization.data(withJSONObject: json))
        #expect(decoded == PromptConfiguration())
    }

    @Test(
        "Settings outside their bounds are refused", arguments: [(0, 4096), (Int.max, 4096), (10, 63), (10, Int.max)])
    func bounds(_ history: Int, _ bytes: Int) {
        #expect(throws: RecommendationError.self) {
            try PromptBuilder(configuration: PromptConfiguration(historyLength: history, titleBytes: bytes))
        }
    }
}
