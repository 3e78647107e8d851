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
    /// - Returns: values trimmed; an empty one says that the item has no such field (`merged`). One that is too long or holds a
    ///   control character is left out, as an absent one is.
    public static func canonical(_ fields: [String: String]) -> [String: String]? {
        var kept: [String: String] = [:]
        for (name, value) in fields where isName(name) && name != "title" {
            let value = String(value.withoutBlanks)
            guard value.utf8.count <= longestValue,
                !value.unicodeScalars.contains(where: { $0.isRefusedInPrompts || $0 == "\n" || $0 == "\t" })
            else { continue }
            kept[name] = value
        }
        return kept.isEmpty || kept.values.count(where: { !$0.isEmpty }) > most ? nil : kept
    }

    /// What is known of an item after somebody said something new: what that does not mention stays, as long as all of it may be
    /// kept, and what it says to be empty goes.
    ///
    /// - Returns: nil: nothing is known.
    public static func merged(_ known: [String: String]?, with new: [String: String]?) -> [String: String]? {
        guard let new else { return known }
        let all = (known ?? [:]).merging(new) { $1 }.filter { !$0.value.isEmpty }
        let kept = all.count <= most ? all : new.filter { !$0.value.isEmpty }
        return kept.isEmpty ? nil : kept
    }
}
