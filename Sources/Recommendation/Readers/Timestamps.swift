/// What the time column of ratings may hold.
public enum Timestamps {
    /// Seconds since 1970 from a whole number, a number with a fraction (which is dropped) or an ISO 8601 date:
    /// `2004-05-06`, `2004-05-06 07:08`, `2004-05-06T07:08:09.5+02:00`. Without a zone it is UTC. nil: none of these.
    public static func seconds(_ text: String) -> Int64? {
        if let seconds = Int64(text) { return seconds }
        if let value = Double(text) { return Int64(exactly: value.rounded(.down)) }
        return iso8601(text)
    }

    private static func iso8601(_ text: String) -> Int64? {
        var cursor = Cursor(rest: text.utf8[...])
        guard let year = cursor.digits(4), cursor.take("-"), let month = cursor.digits(2), cursor.take("-"),
            let day = cursor.digits(2), (1...12).contains(month), (1...days(in: month, of: year)).contains(day)
        else { return nil }
        let date = dayNumber(year, month, day) * 86_400
        if cursor.isAtEnd { return date }
        guard cursor.take("T") || cursor.take(" "), let hour = cursor.digits(2), cursor.take(":"),
            let minute = cursor.digits(2), hour < 24, minute < 60
        else { return nil }
        var second: Int64 = 0
        if cursor.take(":") {
            guard let value = cursor.digits(2), value < 61 else { return nil }
            second = value
            if cursor.take(".") || cursor.take(",") {
                guard cursor.digits(1) != nil else { return nil }
                while cursor.digits(1) != nil {}
            }
        }
        guard let offset = cursor.zone(), cursor.isAtEnd else { return nil }
        return date + hour * 3_600 + minute * 60 + second - offset
    }

    private struct Cursor {
        var rest: Substring.UTF8View

        var isAtEnd: Bool { rest.isEmpty }

        mutating func digits(_ count: Int) -> Int64? {
            let taken = rest.prefix(count)
            guard taken.count == count, taken.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            rest = rest.dropFirst(count)
            return taken.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
        }

        mutating func take(_ scalar: Unicode.Scalar) -> Bool {
            guard rest.first.map({ UInt32($0) }) == scalar.value else { return false }
            rest = rest.dropFirst()
            return true
        }

        /// Seconds east of UTC; 0 without a zone, nil when it cannot be read.
        mutating func zone() -> Int64? {
            if isAtEnd || take("Z") { return 0 }
            let isEast = take("+")
            guard isEast || take("-"), let hours = digits(2) else { return nil }
            _ = take(":")
            guard let minutes = isAtEnd ? 0 : digits(2), hours < 24, minutes < 60 else { return nil }
            return (hours * 60 + minutes) * (isEast ? 60 : -60)
        }
    }

    private static func days(in month: Int64, of year: Int64) -> Int64 {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return switch month {
        case 2: isLeap ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01 in the Gregorian calendar, counted in years that begin in March.
    private static func dayNumber(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
