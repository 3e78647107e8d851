import Foundation

/// Runs a piece of work with zeroed bytes that nobody finds in memory afterwards.
func withWipedBytes<Result>(
    _ count: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Result
) rethrows -> Result {
    try withUnsafeTemporaryAllocation(byteCount: count, alignment: 8) { buffer in
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        defer { buffer.wipe() }
        return try body(buffer)
    }
}

extension UnsafeRawBufferPointer {
    /// The bytes of one slot of neighbours that were read together.
    func slot(_ slot: Int, of run: Range<Int>) -> UnsafeRawBufferPointer {
        let start = (slot - run.lowerBound) * KeySlot.size
        return UnsafeRawBufferPointer(rebasing: self[start..<start + KeySlot.size])
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Zeros that no optimiser leaves out.
    func wipe() {
        if let baseAddress { explicit_bzero(baseAddress, count) }
    }

    func indices(of slot: Int, in run: Range<Int>) -> Range<Int> {
        let start = (slot - run.lowerBound) * KeySlot.size
        return start..<start + KeySlot.size
    }
}
