import Messages
import Unlearning

/// Bounds of options that no library type knows.
enum OptionBounds {
    static let shards = WireLimits.shardCount
    static let threads = 1...1024
    static let candidates = 1...100_000
    static let graphSteps = 0...1_000_000
}

/// - Throws: `CommandFailure`, status 64, with the bounds in the text.
@discardableResult
func within(_ bounds: ClosedRange<Int>, _ value: Int, _ name: String) throws -> Int {
    guard bounds.contains(value) else {
        throw CommandFailure(.usage, "\(name) must be \(bounds.inWords), not \(value)")
    }
    return value
}

/// - Throws: `CommandFailure`, status 64, with the bounds in the text; also for what is no number.
@discardableResult
func within(_ bounds: ClosedRange<Double>, _ value: Double, _ name: String) throws -> Double {
    guard bounds.contains(value) else {
        throw CommandFailure(.usage, "\(name) must be \(bounds.inWords), not \(value)")
    }
    return value
}
