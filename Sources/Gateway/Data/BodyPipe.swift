import Crypto
import Dispatch
import Files
import Foundation
import Recommendation
import ZeroMQ

/// A body on its way to a reader that wants a file. Memory holds what a pipe holds: who writes waits for who reads.
final class BodyPipe: Sendable {
    /// The reader has stopped before the end.
    struct NobodyReads: Error {}

    private let reading: Locked<Int32?>
    private let writing: Locked<Int32?>
    private let failure = Locked<Problem?>(nil)
    private let written = Locked(0)
    private let beginning = Locked<[UInt8]>([])
    private let content = Locked(SHA256())
    private let limit: Int
    /// Writing to a pipe waits.
    private let queue = DispatchQueue(label: "lethe.gateway.body")

    /// - Parameter limit: bytes.
    /// - Throws: `Problem` 500 when the process has no descriptor left.
    init(limit: Int) throws(Problem) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw .internalError }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        reading = Locked(ends[0])
        writing = Locked(ends[1])
        self.limit = limit
    }

    deinit {
        closeReading()
        Self.close(writing)
    }

    /// To be opened once, before `closeReading`.
    var path: String { reading.withLock { $0 }.map { "/dev/fd/\($0)" } ?? "/dev/null" }

    /// SHA-256 of what was written, in hexadecimal.
    var digest: String { content.withLock { $0 }.finalize().hexadecimal }

    /// Why the body did not come to its end; nil: it did.
    var objection: Problem? { failure.withLock { $0 } }

    /// - Throws: `NobodyReads`; `Problem` 413, or 415 for what is packed: nobody knows how much comes out of it.
    func write(_ bytes: [UInt8]) async throws {
        let before = written.withLock { $0 }
        guard before + bytes.count <= limit else { throw Problem.tooLarge(limit: limit) }
        guard !bytes.isEmpty else { return }
        // The mark of what is packed may come in pieces.
        let start = beginning.withLock { start in
            if start.count < FilePacking.markLength { start += bytes.prefix(FilePacking.markLength - start.count) }
            return start
        }
        if FilePacking(beginning: start) != nil { throw Problem.mediaType(wanted: InteractionsRoute.mediaTypes) }
        content.withLock { $0.update(data: bytes) }
        written.withLock { $0 = before + bytes.count }
        let done = await onQueue { self.writeAll(bytes) }
        if !done { throw NobodyReads() }
    }

    /// The end of the body.
    func finish() async { await onQueue { Self.close(self.writing) } }

    /// The body will not come to its end: what was read of it is not to be used.
    func fail(_ problem: Problem) async {
        failure.withLock { $0 = problem }
        await finish()
    }

    /// Who writes is told.
    func closeReading() { Self.close(reading) }

    private func writeAll(_ bytes: [UInt8]) -> Bool {
        guard let descriptor = writing.withLock({ $0 }) else { return false }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private func onQueue<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: work()) }
        }
    }

    private static func close(_ end: Locked<Int32?>) {
        end.withLock { descriptor in
            if let descriptor { _ = Glibc.close(descriptor) }
            descriptor = nil
        }
    }
}
