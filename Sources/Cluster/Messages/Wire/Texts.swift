import Foundation

extension JSONEncoder {
    /// The same bytes for the same value, in every process.
    package static var stable: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    package func text(_ value: some Encodable) throws -> String {
        String(decoding: try encode(value), as: UTF8.self)
    }
}

extension JSONEncoder.DateEncodingStrategy {
    /// As everything outside of the cluster has times: `Date.iso8601`.
    package static var shown: JSONEncoder.DateEncodingStrategy {
        .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(date.iso8601)
        }
    }
}

extension Date {
    /// ISO 8601 in UTC with milliseconds.
    package var iso8601: String {
        formatted(.iso8601.year().month().day().timeZone(separator: .omitted).time(includingFractionalSeconds: true))
    }

    /// nil: the text is no such time.
    package init?(iso8601 text: String) {
        guard let date = try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)) else {
            return nil
        }
        self = date
    }
}

extension Collection where Element: LosslessStringConvertible {
    /// "a, b, c", and of very many the first ones, whole, with how many more there are.
    package var listed: String { listed(within: WireLimits.listedBytes) }

    /// - Parameter bytes: of the names; the first one is there however long it is.
    @inlinable
    package func listed(within bytes: Int) -> String {
        var (list, named) = ("", 0)
        for element in self {
            let name = String(element)
            guard named == 0 || list.utf8.count + name.utf8.count + 2 <= bytes else { break }
            if named > 0 { list += ", " }
            list += name
            named += 1
        }
        return list + (named < count ? " and \(count - named) more" : "")
    }
}

extension String {
    /// Text from outside, cut to what is kept of it.
    package var clipped: String { String(prefix(WireLimits.text)) }
}
