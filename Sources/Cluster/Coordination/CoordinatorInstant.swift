/// A point of a monotonic clock that the service reads and hands in; the value has no clock of its own.
package struct CoordinatorInstant: Hashable, Comparable, Sendable {
    /// Since an arbitrary start; never goes back.
    package var milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    package static func < (left: CoordinatorInstant, right: CoordinatorInstant) -> Bool {
        left.milliseconds < right.milliseconds
    }

    func advanced(bySeconds seconds: Double) -> CoordinatorInstant {
        CoordinatorInstant(milliseconds: milliseconds + Int64((seconds * 1000).rounded()))
    }

    /// Seconds from `earlier` to this instant.
    func seconds(since earlier: CoordinatorInstant) -> Double {
        Double(milliseconds - earlier.milliseconds) / 1000
    }
}
