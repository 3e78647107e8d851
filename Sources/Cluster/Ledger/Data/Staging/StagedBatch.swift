import Foundation
import Recommendation

/// One row of an import that is not finished.
struct StagedRow: Equatable, Sendable {
    var lookup: PersonLookup
    var interaction: Interaction
}

/// An item of the catalogue that an import brings.
struct StagedItem: Equatable, Sendable {
    var token: String
    var title: String
    /// What prompts may show beside the title; nil: nothing is said of it.
    var fields: [String: String]?
}

extension StagedItem {
    /// Title and fields as one text: the title alone, as in releases without fields, or behind it U+0000 and a JSON object.
    var text: String {
        get throws {
            if fields == nil, !title.utf8.contains(0) { return title }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return title + "\0" + String(decoding: try encoder.encode(fields ?? [:]), as: UTF8.self)
        }
    }

    /// nil: no such text.
    init?(token: String, text: String) {
        guard let mark = text.utf8.lastIndex(of: 0) else {
            self.init(token: token, title: text)
            return
        }
        guard
            let fields = try? JSONDecoder().decode(
                [String: String].self, from: Data(text.utf8[text.utf8.index(after: mark)...]))
        else { return nil }
        self.init(token: token, title: String(text[..<mark]), fields: fields.isEmpty ? nil : fields)
    }
}

/// What a client sent at once, without what is refused.
struct StagedBatch: Equatable, Sendable {
    /// In the order sent; their index is their position.
    var rows: [StagedRow]
    /// In the order sent.
    var items: [StagedItem]
    /// Hashed names of items that only refused rows may name.
    var refusedItems: [String]
}
