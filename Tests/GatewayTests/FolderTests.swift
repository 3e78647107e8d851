import Foundation
import Testing

/// What the compiler does not keep apart inside of one target.
@Suite("Folders of the gateway")
struct FolderTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Sources/Gateway")

    /// The code of a file, without comments and texts.
    private static func code(_ file: URL) throws -> String {
        try String(contentsOf: file, encoding: .utf8)
            .replacing(#/"""[\s\S]*?"""/#, with: "").replacing(#/"(?:\\.|[^"\\\n])*"/#, with: "")
            .replacing(#/\/\/[^\n]*/#, with: "")
    }

    @Test("No two folders name each other's types")
    func oneDirection() throws {
        var (owner, texts): ([String: String], [String: [String]]) = ([:], [:])
        let files = FileManager.default.enumerator(at: Self.root, includingPropertiesForKeys: nil)
        while let file = files?.nextObject() as? URL {
            guard file.pathExtension == "swift" else { continue }
            let place = file.deletingLastPathComponent().lastPathComponent
            let text = try Self.code(file)
            texts[place, default: []].append(text)
            // Only what stands at a file's top level: names inside of types are used through them.
            let declaration = #/(?m)^(?:\w+ )*(?:struct|class|enum|actor|protocol|typealias) ([A-Z]\w+)/#
            for match in text.matches(of: declaration) { owner[String(match.1)] = place }
        }
        #expect(texts.count > 7 && owner.count > 50)
        var named: [String: [String: Set<String>]] = [:]
        for (place, texts) in texts {
            for word in texts.flatMap({ $0.matches(of: #/\b[A-Z]\w+\b/#).map { String($0.0) } }) {
                if let other = owner[word], other != place {
                    named[place, default: [:]][other, default: []].insert(word)
                }
            }
        }
        #expect(named["HTTP"]?["Access"]?.contains("Role") == true, "what is there is found")
        for (place, others) in named {
            for (other, words) in others where place < other {
                #expect(named[other]?[place] == nil, "\(place) names \(words), \(other) \(named[other]?[place] ?? [])")
            }
        }
    }
}
