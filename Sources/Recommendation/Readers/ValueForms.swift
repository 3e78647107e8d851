/// How the values of a file's rows are written: what was understood is said, so that a person sees what was not meant.
public struct ValueForms: Codable, Hashable, Sendable {
    public struct Times: Codable, Hashable, Sendable {
        public var form: Timestamps.Form
        public var rows: Int
    }

    /// Each form once, in the order in which they first occur.
    public private(set) var times: [Times] = []
    /// Seconds since 1970.
    public private(set) var earliest: Int64?
    public private(set) var latest: Int64?
    /// Rows without a time.
    public private(set) var untimed = 0
    /// Ratings with a decimal comma.
    public private(set) var decimalCommas = 0

    mutating func add(time: Int64, _ form: Timestamps.Form) {
        if let known = times.firstIndex(where: { $0.form == form }) {
            times[known].rows += 1
        } else {
            times.append(Times(form: form, rows: 1))
        }
        earliest = min(earliest ?? time, time)
        latest = max(latest ?? time, time)
    }

    mutating func addUntimed() { untimed += 1 }

    mutating func addDecimalComma() { decimalCommas += 1 }

    /// For people.
    var text: [String] {
        var parts: [String] = []
        if let earliest, let latest {
            let forms = times.map { times in
                switch times.form {
                case .date: "ISO 8601 dates"
                case let unit: unit.rawValue
                }
            }
            parts.append(
                "times are \(forms.joined(separator: " and ")), from \(Timestamps.day(of: earliest)) to "
                    + Timestamps.day(of: latest))
        }
        if decimalCommas > 0 { parts.append("\(decimalCommas) ratings have a decimal comma") }
        if earliest != nil, untimed > 0 { parts.append("\(untimed) rows have no time and count as the oldest") }
        return parts
    }
}
