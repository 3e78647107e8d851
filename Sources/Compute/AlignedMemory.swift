import Glibc

/// A block of memory that starts at a cache line. Its pages take no room before they are written.
///
/// Not synchronised: whoever shares it between threads makes sure that no two write the same bytes.
public final class AlignedMemory: @unchecked Sendable {
    public let bytes: Int
    public let pointer: UnsafeMutableRawPointer

    public init(bytes: Int) throws {
        let size = max(bytes, 64)
        guard let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            memory != MAP_FAILED
        else { throw ComputeError.outOfMemory(bytes: size) }
        self.bytes = size
        pointer = memory
    }

    deinit { munmap(pointer, bytes) }

    public func floats() -> UnsafeMutablePointer<Float> { pointer.assumingMemoryBound(to: Float.self) }
}
