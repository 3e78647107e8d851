import Foundation
import Recommendation
import Testing

@Suite("The words of prompts")
struct PromptWordingTests {
    private let upper: (String) -> String? = { $0.uppercased() }

    private func prompt(
        _ wording: PromptWording?, domain: PromptNoun = .movie, chat: ChatMarkers? = nil,
        ratings values: [Double] = [4, 2, 5, 1]
    ) throws -> Prompt {
        let configuration = PromptConfiguration(domain: domain, historyLength: 3, template: wording, chat: chat)
        let prompts = try PromptBuilder(configuration: configuration).prompts(
            user: "u", interactions: ratings(values), titles: upper)
        return try #require(prompts.first)
    }

    private func json(_ text: String) throws -> PromptWording { try PromptWording(json: Data(text.utf8)) }

    private static let german = """
        {"layout": "{instruction}\\n\\n{history}\\n{question}\\nAntwort:",
         "instruction": "Entscheide, ob der Kundin die {noun} gefällt. Es gibt viele {nouns}.",
         "history": "Gefiel: {liked}\\nGefiel nicht: {disliked}",
         "question": "Gefällt ihr die {noun} {target}?",
         "quotes": ["„", "“"], "separator": "; ", "empty": "nichts", "yes": " Ja", "no": " Nein"}
        """

    @Test("A template in German says every word, and its words answer")
    func german() throws {
        let wording = try json(Self.german)
        let lamp = try PromptNoun(parsing: "Lampe:Lampen")
        let found = try prompt(wording, domain: lamp, ratings: [4, 2, 5, 1])
        #expect(
            found.text == """
                Entscheide, ob der Kundin die Lampe gefällt. Es gibt viele Lampen.

                Gefiel: „A“; „C“
                Gefiel nicht: „B“
                Gefällt ihr die Lampe „D“?
                Antwort:
                """)
        #expect(found.output == " Nein")
        #expect(try prompt(wording, domain: lamp, ratings: [4, 4, 4, 4]).input.contains("Gefiel nicht: nichts\n"))
        #expect(TrainingPrompt(found).historyAlone.input == "Gefiel: „A“; „C“\nGefiel nicht: „B“")
        #expect(TrainingPrompt(found).historyAlone.text.hasSuffix("Gefiel nicht: „B“\nAntwort:"))
    }

    @Test("A layout without an instruction has none, not TALLRec's; words and the history's end count in the digest")
    func withoutInstruction() throws {
        let bare = #"{"layout": "{history}\n{question}\nAntwort:", "yes": " Ja", "no": " Nein"}"#
        let found = try prompt(json(bare))
        #expect(found.instruction.isEmpty && found.text.hasPrefix("User Preference: "))
        var other = TrainingPrompt(found)
        let digest = other.digest
        other.historyBytes = other.historyBytes.map { $0 - 1 }
        #expect(other.historyBytes != nil && other.digest != digest)
    }

    @Test("A template in Japanese, whose question stands in a title as well, is cut where its history ends")
    func japanese() throws {
        let wording = try json(
            """
            {"layout": "{history}{question}", "history": "好き：{liked}。嫌い：{disliked}。",
             "question": "次の{noun}{target}は好きですか。答え：", "quotes": ["「", "」"], "separator": "、",
             "empty": "なし", "yes": "はい", "no": "いいえ"}
            """)
        #expect(throws: RecommendationError.self) { try prompt(wording) }
        var closed = wording
        closed.layout = "{history}{question}\n答え："
        let configuration = PromptConfiguration(
            domain: try PromptNoun(parsing: "映画"), historyLength: 1, template: closed)
        let builder = try PromptBuilder(configuration: configuration)
        let tricky: (String) -> String? = { "次の映画\($0)は好きですか。" }
        let history = builder.queryHistory(user: "u", interactions: ratings([5]), titles: tricky)
        let asked = builder.queryPrompt(history, item: Item(id: "z", title: "千と千尋")).prompt
        #expect(asked.historyAlone.input == "好き：「次の映画aは好きですか。」。嫌い：なし。")
        #expect(asked.input == asked.historyAlone.input + "次の映画「千と千尋」は好きですか。答え：")
    }

    @Test("TALLRec's text as a template makes the prompts of no template, byte for byte")
    func same() throws {
        for domain in [PromptNoun.movie, .book] {
            let (plain, written) = (try prompt(nil, domain: domain), try prompt(.tallrec, domain: domain))
            #expect(plain.text == written.text && plain.output == written.output && written.frame == nil)
            #expect(plain.digest == written.digest)
            #expect(TrainingPrompt(plain).historyAlone.text == TrainingPrompt(written).historyAlone.text)
        }
    }

    @Test("Without a template the recorded configuration has the bytes of before, and those of before are read")
    func recorded() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let text = """
            {"domain":"book","historyLength":10,"likeAbove":5,"method":"leaveLast","seed":0,"testFraction":1,\
            "titleBytes":4096,"trainFraction":1,"validationFraction":1}
            """
        let method = SplitMethod.leaveLast.rawValue
        let expected = text.replacingOccurrences(of: "leaveLast", with: method)
        let configuration = PromptConfiguration(domain: .book, likeAbove: 5)
        #expect(String(decoding: try encoder.encode(configuration), as: UTF8.self) == expected)
        #expect(try JSONDecoder().decode(PromptConfiguration.self, from: Data(expected.utf8)) == configuration)
        let lamp = PromptConfiguration(
            domain: try PromptNoun(parsing: "Lampe:Lampen"), template: try json(Self.german),
            chat: ChatMarkers(style: "s", open: "<a>", close: "<b>", controls: ["<a>"]))
        #expect(try JSONDecoder().decode(PromptConfiguration.self, from: encoder.encode(lamp)) == lamp)
    }

    @Test("Other words, another layout, another chat are other prompts; the noun's plural is not where it is not used")
    func digests() throws {
        let wording = try json(Self.german)
        var others: [String] = [try prompt(wording).digest, try prompt(nil).digest]
        for change: (inout PromptWording) -> Void in [
            { $0.yes = " Jo" }, { $0.no = " Nö" }, { $0.layout += " " }, { $0.separator = "," },
            { $0.quotes = ["", ""] },
        ] {
            var changed = wording
            change(&changed)
            others.append(try prompt(changed).digest)
        }
        let markers = ChatMarkers(style: "s", open: "<a>", close: "<b>", controls: ["<a>"])
        others.append(try prompt(wording, chat: markers).digest)
        others.append(
            try prompt(wording, chat: ChatMarkers(style: "s", open: "<a>", close: "<b>", controls: [])).digest)
        #expect(Set(others).count == others.count)
        let (one, two) = (try PromptNoun(parsing: "lamp"), try PromptNoun(parsing: "lamp:lamps"))
        #expect(try prompt(nil, domain: one).digest == prompt(nil, domain: two).digest)
    }

    @Test("Prompts of one frame are sent with it once, those without as before", arguments: [true, false])
    func lists(hasFrame: Bool) throws {
        let prompts = [TrainingPrompt(try prompt(hasFrame ? json(Self.german) : nil))]
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let bytes = try encoder.encode(TrainingPromptList(prompts + prompts))
        #expect(try JSONDecoder().decode(TrainingPromptList.self, from: bytes).prompts == prompts + prompts)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.components(separatedBy: "Nein").count == (hasFrame ? 2 : 1))
        if !hasFrame {
            #expect(
                try bytes == encoder.encode(prompts + prompts) && !text.contains("frame")
                    && !text.contains("historyBytes"))
        }
        let mixed = prompts + [TrainingPrompt(try prompt(hasFrame ? nil : json(Self.german)))]
        let both = try JSONDecoder().decode(TrainingPromptList.self, from: encoder.encode(TrainingPromptList(mixed)))
        #expect(both.prompts == mixed)
    }

    @Test(
        "A template that cannot be used is refused, and the message says why",
        arguments: [
            ("", "is empty"), ("  \n", "is empty"), ("{}", "is empty"), ("[1]", "no JSON object"),
            ("{\"yes\":", "no JSON object"),
            (#"{"wer":"a"}"#, "unknown key \"wer\""), (#"{"yes":1}"#, "\"yes\" is no text"),
            (#"{"question":"Magst du das?"}"#, "lacks {target}"),
            (#"{"history":"nichts"}"#, "neither {liked} nor {disliked}"),
            (#"{"question":"{target} {ziel}"}"#, "unknown placeholder {ziel}"),
            (#"{"history":"{liked} {target}"}"#, "unknown placeholder {target}"),
            (#"{"question":"{target"}"#, "opening brace that nothing closes"),
            (#"{"question":"target} {target}"}"#, "closing brace that nothing opens"),
            (#"{"layout":"{history}"}"#, "{question} 0 times"),
            (#"{"layout":"{question}{history}."}"#, "in this order"),
            (#"{"layout":"{history}{instruction}{question}."}"#, "in this order"),
            (#"{"layout":"{history}{history}{question}."}"#, "{history} 2 times"),
            (#"{"yes":"Ja","no":"Nein"}"#, "the usual \"instruction\" asks for"),
            (#"{"yes":"Ja","no":" Ja"}"#, "answer words are equal"), (#"{"yes":" "}"#, "\"yes\" is empty"),
            (#"{"no":"No\n"}"#, "control character U+000A"), (#"{"empty":"\u0007"}"#, "control character U+0007"),
            (#"{"separator":"\#(String(repeating: "x", count: 300))"}"#, "300 bytes"),
            (#"{"quotes":["a"]}"#, "two texts"), (#"{"item":"{year}"}"#, "lacks {title}"),
            (#"{"item":"{title} [{year}"}"#, "nothing closes"), (#"{"item":"{title}]"}"#, "nothing opens"),
            (#"{"item":"{title} [a [b]]"}"#, "inside another one"),
            (#"{"item":"{title} {a b}"}"#, "unknown placeholder {a b}"),
        ])
    func hostile(text: String, reason: String) throws {
        let error = #expect(throws: RecommendationError.self) { try json(text) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }

    @Test("A template file that is too long, no UTF-8 or not there is refused by its name")
    func files() throws {
        let folder = try TemporaryFolder()
        let long = try folder.write("long.json", String(repeating: " ", count: PromptWording.longestFile + 1))
        let latin = try folder.write("latin.json", Array(#"{"yes":""#.utf8) + [0xFC] + Array("\"}".utf8))
        for (path, reason) in [(long, "at most 65536"), (latin, "not UTF-8"), (folder.path + "/none.json", "no such")] {
            let error = #expect(throws: RecommendationError.self) { try PromptWording(file: path) }
            #expect(error?.description.contains(reason) == true && error?.description.contains(path) == true)
        }
        #expect(try PromptWording(file: folder.write("german.json", Self.german)) == json(Self.german))
    }

    @Test(
        "What is recommended is one noun or two, in any language, and nothing that breaks a line",
        arguments: [
            ("lamp", "lamp", "lamp"), ("Lampe:Lampen", "Lampe", "Lampen"), ("映画", "映画", "映画"),
            ("movie", "movie", "movies"),
            ("book", "book", "books"),
        ])
    func nouns(text: String, singular: String, plural: String) throws {
        let noun = try PromptNoun(parsing: text)
        #expect(noun.singular == singular && noun.plural == plural && noun.text == text)
        for refused in ["", " ", "a:", ":b", "a:b:c", "a\nb", "a\tb", "a\u{0}", String(repeating: "x", count: 65)] {
            #expect(throws: RecommendationError.self) { try PromptNoun(parsing: refused) }
        }
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(PromptNoun.self, from: Data(#""a\nb""#.utf8)) }
    }

    @Test("Doubled braces and brackets are themselves, and a group goes where a field in it is absent")
    func itemForm() throws {
        var wording = PromptWording.tallrec
        wording.item = "{{{title}}}[ ({year}, {genre})][ [[{brand}]]]"
        let builder = try PromptBuilder(configuration: PromptConfiguration(template: wording))
        #expect(try wording.itemFields() == ["year", "genre", "brand"])
        #expect(builder.name(title: "A", fields: ["year": "1999", "genre": "noir"]) == "{A} (1999, noir)")
        #expect(builder.name(title: "A", fields: ["year": "1999", "brand": "B"]) == "{A} [B]")
        #expect(builder.name(title: "A", fields: nil) == "{A}")
    }

    @Test("The prompt of an invented person shows every part and nobody's data")
    func example() throws {
        let configuration = PromptConfiguration(
            domain: try PromptNoun(parsing: "Lampe"), historyLength: 2, template: try json(Self.german))
        let example = try PromptBuilder(configuration: configuration).example
        #expect(example.input == "Gefiel: „Lampe A“\nGefiel nicht: „Lampe B“\nGefällt ihr die Lampe „Lampe C“?")
        #expect(example.output == " Ja")
    }
}
