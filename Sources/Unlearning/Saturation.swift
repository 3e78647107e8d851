extension Int {
    /// The sum, or the nearest number that exists: counts that others report may be of any size.
    public func addingSaturated(_ other: Int) -> Int {
        let (sum, overflows) = addingReportingOverflow(other)
        return overflows ? (other > 0 ? .max : .min) : sum
    }

    /// The nearest whole number that exists; 0 for what is no number.
    public init(saturating value: Double) {
        if value.isNaN {
            self = 0
        } else {
            self = Int(exactly: value.rounded()) ?? (value > 0 ? .max : .min)
        }
    }
}

extension Sequence<Int> {
    /// See `Int.addingSaturated`.
    public var saturatedSum: Int { reduce(0) { $0.addingSaturated($1) } }
}
