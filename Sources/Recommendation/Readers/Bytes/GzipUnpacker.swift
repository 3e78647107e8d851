import CZlib

/// Expands gz (RFC 1952). Members that stand one behind the other are one text, as `gzip` and `pigz` have it.
final class GzipUnpacker: Unpacker {
    let packing = FilePacking.gz
    // zlib notes the address of its stream and refuses another: it lies in memory of its own.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    /// Not before the first one, which the file's mark has begun.
    private(set) var isBetweenParts = false

    var mayEnd: Bool { isBetweenParts }

    init() throws(PackedDataFailure) {
        stream.initialize(to: z_stream())
        // 16: gz's own header and checksum.
        guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw Self.failure(.noMemory)
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Where only noughts are left, with which tapes and some tools fill up, none begins.
    func beginPart(_ input: inout PackedInput, _ more: () throws -> [UInt8]) throws -> Bool {
        input.consumed += input.rest.prefix { $0 == 0 }.count
        guard let mark = input.rest.first else { return false }
        // A cut mark is a cut member: the library says so.
        guard mark == 0x1F, inflateReset(stream) == Z_OK else { throw Self.failure(.trailing) }
        isBetweenParts = false
        return true
    }

    func expand(_ input: inout PackedInput) throws(PackedDataFailure) -> [UInt8] {
        let (consumed, left) = (input.consumed, input.rest.count)
        var (unread, status) = (left, Z_OK)
        let text = [UInt8](unsafeUninitializedCapacity: PackedStream.piece) { text, count in
            input.bytes.withUnsafeMutableBufferPointer { bytes in
                stream.pointee.next_in = bytes.baseAddress.map { $0 + consumed }
                stream.pointee.avail_in = UInt32(left)
                (stream.pointee.next_out, stream.pointee.avail_out) = (text.baseAddress, UInt32(PackedStream.piece))
                status = inflate(stream, Z_NO_FLUSH)
                unread = Int(stream.pointee.avail_in)
                count = PackedStream.piece - Int(stream.pointee.avail_out)
            }
        }
        input.consumed = input.bytes.count - unread
        switch status {
        case Z_OK: break
        case Z_BUF_ERROR where unread == 0: break
        case Z_STREAM_END: isBetweenParts = true
        case Z_MEM_ERROR: throw Self.failure(.noMemory)
        default: throw Self.failure(.damaged)
        }
        return text
    }

    private static func failure(_ reason: PackedDataFailure.Reason) -> PackedDataFailure {
        PackedDataFailure(packing: .gz, reason: reason)
    }
}
