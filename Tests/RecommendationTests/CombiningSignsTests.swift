import Foundation
import Recommendation
import Testing

@Suite("Templates in scripts with signs that join what stands before them")
struct CombiningSignsTests {
    @Test(
        "A vowel sign or an accent behind a brace or a bracket is text",
        arguments: ["\u{0BC8}", "\u{094B}\u{0902}", "\u{0301}"])
    func signs(sign: String) throws {
        let template = """
            {"question": "{noun}\(sign) {target}?", "item": "{title}[\(sign){{{year}\(sign)]\(sign)"}
            """
        let wording = try PromptWording(json: Data(template.utf8))
        let configuration = PromptConfiguration(domain: .movie, historyLength: 3, template: wording)
        let prompts = try PromptBuilder(configuration: configuration).prompts(
            user: "u", interactions: ratings([4, 2, 5, 1]), titles: { $0.uppercased() })
        let text = try #require(prompts.first?.text)
        #expect(Array(text.utf8).contains(Array("movie\(sign) ".utf8)))
        #expect(try wording.itemFields() == ["year"])
    }
}
