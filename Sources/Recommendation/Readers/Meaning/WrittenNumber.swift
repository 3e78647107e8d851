/// Numbers as data has them: with a point, or with the comma of most of Europe.
enum WrittenNumber {
    /// nil: no finite number. One comma alone is a decimal one; no thousands are separated.
    static func value(_ text: String) -> (value: Double, hasComma: Bool)? {
        guard !text.utf8.contains(where: { $0 == UInt8(ascii: "x") || $0 == UInt8(ascii: "X") }) else { return nil }
        if let value = Double(text) { return value.isFinite ? (value, false) : nil }
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count == 2, !text.contains("."), !parts[1].isEmpty, parts[1].allSatisfy(\.isASCIIDigit),
            let value = Double(parts.joined(separator: ".")), value.isFinite
        else { return nil }
        return (value, true)
    }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
