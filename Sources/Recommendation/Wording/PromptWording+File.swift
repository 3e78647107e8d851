import Files
import Foundation

extension PromptWording {
    /// Bytes of a template file.
    public static let longestFile = 65_536

    /// Reads a template file: a JSON object in UTF-8 whose keys are the parts of a `PromptWording`. What it leaves out is as
    /// in TALLRec's text; a key that is unknown is refused.
    ///
    /// - Throws: `RecommendationError.unreadableFile`, `.invalidTemplate`.
    public init(file path: String) throws(RecommendationError) {
        let size = (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int ?? 0
        guard size <= Self.longestFile else { throw Self.tooLong(path, bytes: size) }
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw .unreadableFile(path: path, reason: "there is no such template file, or it may not be read")
        }
        let content: Data
        do {
            content = try handle.read(upToCount: Self.longestFile + 1) ?? Data()
        } catch {
            throw .unreadableFile(path: path, reason: FileFailure.reason(of: error))
        }
        do throws(RecommendationError) {
            try self.init(json: content)
        } catch {
            guard case .invalidTemplate(let reason) = error else { throw error }
            throw .invalidTemplate(reason: "\(path): \(reason)")
        }
    }

    /// - Throws: `RecommendationError.invalidTemplate`.
    public init(json content: Data) throws(RecommendationError) {
        guard !content.isEmpty else { throw .invalidTemplate(reason: "the template is empty") }
        guard content.count <= Self.longestFile else { throw Self.tooLong("the template", bytes: content.count) }
        guard let text = String(validating: content, as: UTF8.self) else {
            throw .invalidTemplate(reason: "the template is not UTF-8")
        }
        guard !text.withoutBlanks.isEmpty else { throw .invalidTemplate(reason: "the template is empty") }
        guard let value = try? JSONSerialization.jsonObject(with: content), let object = value as? [String: Any] else {
            throw .invalidTemplate(reason: "the template is no JSON object")
        }
        guard !object.isEmpty else { throw .invalidTemplate(reason: "the template is empty") }
        self = .tallrec
        for key in object.keys.sorted() {
            guard let place = Self.places[key] else {
                guard key == "quotes" else {
                    throw .invalidTemplate(
                        reason: "the template has the unknown key \"\(key.prefix(40))\"; known are "
                            + (Self.places.keys + ["quotes"]).sorted().joined(separator: ", "))
                }
                guard let quotes = object[key] as? [String], quotes.count == 2 else {
                    throw .invalidTemplate(
                        reason: "\"quotes\" must be two texts: what stands in front of an item, and behind it")
                }
                self.quotes = quotes
                continue
            }
            guard let text = object[key] as? String else {
                throw .invalidTemplate(reason: "\"\(key)\" is no text")
            }
            self[keyPath: place] = text
        }
        // Whatever the noun is, and whether or not a chat's markers stand behind the layout: what is wrong is wrong here.
        _ = try PromptPieces(self, noun: .movie, chat: ChatMarkers(style: "", open: "", close: "\n", controls: []))
    }

    private static func tooLong(_ what: String, bytes: Int) -> RecommendationError {
        .invalidTemplate(reason: "\(what) has \(bytes) bytes, at most \(longestFile) are taken")
    }

    private static var places: [String: WritableKeyPath<PromptWording, String>] {
        [
            "layout": \.layout, "instruction": \.instruction, "history": \.history, "question": \.question,
            "item": \.item, "separator": \.separator, "empty": \.empty, "yes": \.yes, "no": \.no,
        ]
    }
}
