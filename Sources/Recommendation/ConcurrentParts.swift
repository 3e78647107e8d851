import Files
import Foundation

/// Foundation opens files of the system at every call.
private enum Processors {
    static let count = AvailableCores.current.count
}

extension Array where Element: Sendable {
    /// Elements of a part: fewer are done before another thread has begun.
    private static var smallestPart: Int { 64 }
    /// What a machine with more cores gains by more threads is less than what they take from its workers.
    private static var mostParts: Int { Swift.min(4, Processors.count) }

    /// What `work` makes of each of a few consecutive parts that are the array together, in their order; each on a thread of
    /// its own where the array is long enough. `work` must not depend on how the array is cut.
    package func concurrentlyByParts<Result: Sendable>(_ work: @Sendable (ArraySlice<Element>) -> Result) -> [Result] {
        let parts = Swift.min(count / Self.smallestPart, Self.mostParts)
        guard parts > 1 else { return [work(self[...])] }
        return [Result](unsafeUninitializedCapacity: parts) { results, initialized in
            nonisolated(unsafe) let start = results.baseAddress
            DispatchQueue.concurrentPerform(iterations: parts) { part in
                let result = work(self[count * part / parts..<count * (part + 1) / parts])
                start.map { ($0 + part).initialize(to: result) }
            }
            initialized = start == nil ? 0 : parts
        }
    }
}
