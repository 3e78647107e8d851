/// What a catalogue says of an item beside its title: a year, a brand, a genre. Texts by name, shown as they are.
public enum ItemFields {
    /// Bytes of UTF-8 of one name, and of one value.
    public static let longestName = 64
    public static let longestValue = 512
    /// Of one item.
    public static let most = ItemForm.mostFields

    /// Letters of any script, digits, `_` and `-`; `title` is the title itself.
    public static func isName(_ name: String) -> Bool {
        (1...longestName).contains(name.utf8.count)
            && name.unicodeScalars.allSatisfy { scalar in
                scalar == "_" || scalar == "-" || scalar.properties.isAlphabetic
                    || scalar.properties.generalCategory == .decimalNumber
            }
    }

    /// Fields as they are kept; nil: none that may be.
    ///
    /// - Returns: without those that are empty; a value is trimmed, and one that is too long or holds a control character is
    ///   left out, as an absent one is.
    public static func canonical(_ fields: [String: String]) -> [String: String]? {
        var kept: [String: String] = [:]
        for (name, value) in fields where isName(name) && name != "title" {
            let value = String(value.withoutBlanks)
            guard !value.isEmpty, value.utf8.count <= longestValue,
                !value.unicodeScalars.contains(where: { $0.isRefusedInPrompts || $0 == "\n" || $0 == "\t" })
            else { continue }
            kept[name] = value
        }
        return kept.isEmpty || kept.count > most ? nil : kept
    }
}
