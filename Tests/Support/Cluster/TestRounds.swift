import Foundation

/// How often a test repeats itself: usually, and with LETHE_TEST_FULL.
package enum TestRounds {
    package static var isFull: Bool { ProcessInfo.processInfo.environment["LETHE_TEST_FULL"] != nil }

    package static func few(_ usual: Int, full: Int) -> Range<Int> { 0..<(isFull ? full : usual) }
}
