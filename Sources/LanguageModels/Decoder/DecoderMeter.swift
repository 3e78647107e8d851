import Compute
import Glibc

/// Collects a profile: seconds and operations of each stage, summed over the threads.
final class DecoderMeter {
    private static let stages = DecoderProfile.Stage.allCases.count
    private let threads: Int
    private let seconds: AlignedMemory
    private let operations: AlignedMemory
    private(set) var running = false

    /// A cache line or more apart for each thread.
    private static let stride = (stages + 15) / 16 * 16

    init(threads: Int) throws {
        self.threads = threads
        seconds = try AlignedMemory(bytes: 8 * threads * Self.stride)
        operations = try AlignedMemory(bytes: 8 * threads * Self.stride)
    }

    func start() {
        running = true
        seconds.pointer.initializeMemory(as: UInt8.self, repeating: 0, count: seconds.bytes)
        operations.pointer.initializeMemory(as: UInt8.self, repeating: 0, count: operations.bytes)
    }

    /// Runs a part of a stage on a thread.
    @inline(__always)
    func measure(
        _ stage: DecoderProfile.Stage, thread: Int, operations count: Double, _ body: () throws -> Void
    ) rethrows {
        guard running else { return try body() }
        let before = Self.now()
        try body()
        let slot = thread * Self.stride + stage.order
        seconds.pointer.assumingMemoryBound(to: Double.self)[slot] += Self.now() - before
        operations.pointer.assumingMemoryBound(to: Double.self)[slot] += count
    }

    func profile() -> DecoderProfile? {
        guard running else { return nil }
        let (time, work) = (
            seconds.pointer.assumingMemoryBound(to: Double.self),
            operations.pointer.assumingMemoryBound(to: Double.self)
        )
        return DecoderProfile(
            threads: threads,
            entries: DecoderProfile.Stage.allCases.map { stage in
                let slots = (0..<threads).map { $0 * Self.stride + stage.order }
                return DecoderProfile.Entry(
                    stage: stage, seconds: slots.reduce(0) { $0 + time[$1] },
                    operations: slots.reduce(0) { $0 + work[$1] })
            })
    }

    static func wallClock() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    }

    /// The calling thread's processor time: on a shared machine the wall clock also shows what others do.
    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    }
}
