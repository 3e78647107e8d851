import LanguageModels
import Recommendation
import Testing

@Suite("The end of prompts")
struct EndOfPromptsTests {
    @Test("Every prompt ends where the answer's tokens were looked up")
    func end() {
        let prompt = TrainingPrompt(id: "p", instruction: "Say whether", input: "a lamp", label: true)
        #expect(prompt.text.hasSuffix(LoadedModel.endOfPrompts))
    }
}
