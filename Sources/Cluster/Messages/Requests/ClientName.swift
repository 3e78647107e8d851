/// The rule for names that clients choose, of requests and of imports: they enter logs, replies and certificates.
public enum ClientName {
    /// Bytes, in UTF-8.
    public static let lengths = 1...WireLimits.name

    /// Why this is no name; nil: it is one.
    public static func objection(to name: String, of what: String) -> String? {
        guard lengths.contains(name.utf8.count) else {
            return
                "the id of \(what) must have \(lengths.lowerBound) to \(lengths.upperBound) bytes, not \(name.utf8.count)"
        }
        return name.unicodeScalars.allSatisfy(\.isPrintable)
            ? nil : "the id of \(what) must be printable: without line breaks and other control characters"
    }
}

extension Unicode.Scalar {
    /// Whether it stands for itself on one line of a log: no control or formatting character, no line break.
    package var isPrintable: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: false
        default: true
        }
    }
}
