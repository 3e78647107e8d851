/// What the time column of ratings may hold.
public enum Timestamps {
    /// How a time is written.
    public enum Form: String, Codable, CaseIterable, Sendable {
        case date, seconds, milliseconds, microseconds, nanoseconds
    }

    /// Seconds since 1970 from a number or an ISO 8601 date: `2004-05-06`, `2004-05-06 07:08`,
    /// `2004-05-06T07:08:09.5+02:00`, `20040506`, `20040506T070809Z`. Fractions are dropped; a date without a zone is UTC. nil:
    /// none of these.
    public static func seconds(_ text: String) -> Int64? { read(text)?.seconds }

    /// - `unit`: of numbers; nil: by their magnitude, which each value has for itself. Seconds reach to the year 5138
    ///   (10¹¹) then, milliseconds from 1973 and microseconds and nanoseconds alike, and eight or fourteen digits that are a
    ///   date of the 20th or 21st century are that: as numbers they would be days of 1970 and of the 26th century.
    /// - `digitsAreDates`: false where they stand among numbers.
    public static func read(
        _ text: String, unit: Form? = nil, digitsAreDates: Bool = true
    ) -> (seconds: Int64, form: Form)? {
        let mayBeDate = unit == nil && digitsAreDates
        if let value = Int64(text) {
            if mayBeDate, let date = compact(text) { return (date, .date) }
            return scaled(value, unit)
        }
        if let number = WrittenNumber.value(text) {
            guard let value = Int64(exactly: number.value.rounded(.down)) else { return nil }
            // A column of dates with gaps is one of floating-point numbers to some writers: 20040506.0.
            if mayBeDate, Double(value) == number.value, let date = compact("\(value)") { return (date, .date) }
            return scaled(value, unit)
        }
        return iso8601(text).map { ($0, .date) }
    }

    /// `20040506` and `20040506070809`.
    private static func compact(_ digits: String) -> Int64? {
        let date: Int64?
        switch digits.utf8.count {
        case 8: date = iso8601(digits)
        case 14: date = iso8601("\(digits.prefix(8))T\(digits.suffix(6))")
        default: return nil
        }
        return date.flatMap { centuries.contains($0) ? $0 : nil }
    }

    /// From 1900 to 2100.
    private static let centuries: Range<Int64> = dayNumber(1900, 1, 1) * 86_400..<dayNumber(2101, 1, 1) * 86_400

    private static func scaled(_ value: Int64, _ unit: Form?) -> (seconds: Int64, form: Form) {
        let form = unit ?? magnitudes.first { value.magnitude < $0.bound }?.form ?? .nanoseconds
        let divisor: Int64 =
            switch form {
            case .date, .seconds: 1
            case .milliseconds: 1_000
            case .microseconds: 1_000_000
            case .nanoseconds: 1_000_000_000
            }
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
        return (rest < 0 ? quotient - 1 : quotient, form)
    }

    private static let magnitudes: [(bound: UInt64, form: Form)] = [
        (100_000_000_000, .seconds), (100_000_000_000_000, .milliseconds), (100_000_000_000_000_000, .microseconds),
    ]

    /// `2004-05-06` of seconds since 1970, for people.
    public static func day(of seconds: Int64) -> String {
        // As `dayNumber`, backwards.
        let (whole, rest) = seconds.quotientAndRemainder(dividingBy: 86_400)
        let days = rest < 0 ? whole - 1 : whole
        guard abs(days) < 3_000_000 else { return "\(seconds) s" }
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let year = yearOfEra + era * 400 + (month >= 10 ? 1 : 0)
        func padded(_ number: Int64, _ width: Int) -> String {
            String(repeating: "0", count: max(0, width - "\(number)".count)) + "\(number)"
        }
        return "\(padded(year, 4))-\(padded(month < 10 ? month + 3 : month - 9, 2))-\(padded(day, 2))"
    }

    private static func iso8601(_ text: String) -> Int64? {
        var cursor = Cursor(rest: text.utf8[...])
        guard let year = cursor.digits(4) else { return nil }
        // What ISO 8601 calls the extended format; the basic one has neither dashes nor colons.
        let isExtended = cursor.take("-")
        guard let month = cursor.digits(2), !isExtended || cursor.take("-"), let day = cursor.digits(2),
            (1...12).contains(month), (1...days(in: month, of: year)).contains(day)
        else { return nil }
        let date = dayNumber(year, month, day) * 86_400
        if cursor.isAtEnd { return date }
        guard cursor.take("T") || cursor.take(" "), let hour = cursor.digits(2) else { return nil }
        let hasColons = cursor.take(":")
        guard hasColons || !isExtended, let minute = cursor.digits(2), hour < 24, minute < 60 else { return nil }
        var second: Int64 = 0
        if hasColons ? cursor.take(":") : cursor.isAtDigit {
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
        var isAtDigit: Bool { rest.first.map { (0x30...0x39).contains($0) } ?? false }

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
            // Between time and zone some databases put a blank.
            if take(" "), take("U") { return take("T") && take("C") ? 0 : nil }
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
