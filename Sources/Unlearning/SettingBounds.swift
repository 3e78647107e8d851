/// Bounds of settings: far beyond any use, within which no product of sizes overflows. Help texts name them.
extension TrainingSpecification {
    public static let rankBounds = 1...4096
    /// Of the absolute value.
    public static let alphaBounds = 1e-6...1e6
    public static let epochBounds = 1...10_000
    public static let batchBounds = 1...65_536
    public static let learningRateBounds = 1e-12...100.0
    public static let warmupBounds = 0...1_000_000_000
    public static let weightDecayBounds = 0.0...100.0
    public static let dropoutBounds = 0.0...0.9
    public static let heldOutBounds = 0.0...0.5
    public static let sliceBounds = 1...1024
}

extension ClosedRange<Int> {
    /// "from 1 to 4096"
    public var inWords: String { "from \(lowerBound) to \(upperBound)" }
}

extension ClosedRange<Double> {
    /// "from 0 to 100"
    public var inWords: String {
        func short(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? "\(value)" }
        return "from \(short(lowerBound)) to \(short(upperBound))"
    }
}
