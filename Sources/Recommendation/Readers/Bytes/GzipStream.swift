import CZlib

/// Expands gz (RFC 1952) piece by piece: memory holds one piece, however much comes out. Members that stand one behind the
/// other are one text, as `gzip` and `pigz` have it.
final class GzipStream: PackedStream {
    private static let piece = 1 << 18

    // zlib notes the address of its stream and refuses another: it lies in memory of its own.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private var input: [UInt8]
    private var consumed = 0
    private var bound = ExpansionBound()
    private var isBetweenMembers = false

    /// - Parameter beginning: of the file.
    init(_ beginning: [UInt8]) throws(PackedDataFailure) {
        input = beginning
        bound.bytesIn = beginning.count
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

    func next(_ more: () throws -> [UInt8]) throws -> [UInt8] {
        var text: [UInt8] = []
        while true {
            if consumed == input.count {
                if !text.isEmpty { return text }
                input = try more()
                (consumed, bound.bytesIn) = (0, bound.bytesIn + input.count)
                if input.isEmpty {
                    guard isBetweenMembers else { throw Self.failure(.cut) }
                    return []
                }
            }
            if isBetweenMembers, try !beginMember() { continue }
            let expanded = try expand()
            bound.bytesOut += expanded.count
            guard bound.isKept else { throw Self.failure(.bomb) }
            // Members may be short: they go on together.
            text += expanded
            if text.count >= Self.piece { return text }
        }
    }

    /// False: only noughts are left, with which tapes and some tools fill up.
    private func beginMember() throws(PackedDataFailure) -> Bool {
        while consumed < input.count, input[consumed] == 0 { consumed += 1 }
        guard consumed < input.count else { return false }
        // A cut mark is a cut member: the library says so.
        guard input[consumed] == 0x1F, inflateReset(stream) == Z_OK else { throw Self.failure(.trailing) }
        isBetweenMembers = false
        return true
    }

    private func expand() throws(PackedDataFailure) -> [UInt8] {
        let left = input.count - consumed
        var (unread, status) = (left, Z_OK)
        let text = [UInt8](unsafeUninitializedCapacity: Self.piece) { text, count in
            input.withUnsafeMutableBufferPointer { input in
                stream.pointee.next_in = input.baseAddress.map { $0 + consumed }
                stream.pointee.avail_in = UInt32(left)
                (stream.pointee.next_out, stream.pointee.avail_out) = (text.baseAddress, UInt32(Self.piece))
                status = inflate(stream, Z_NO_FLUSH)
                unread = Int(stream.pointee.avail_in)
                count = Self.piece - Int(stream.pointee.avail_out)
            }
        }
        consumed = input.count - unread
        switch status {
        case Z_OK: break
        case Z_BUF_ERROR where unread == 0: break
        case Z_STREAM_END: isBetweenMembers = true
        case Z_MEM_ERROR: throw Self.failure(.noMemory)
        default: throw Self.failure(.damaged)
        }
        return text
    }

    private static func failure(_ reason: PackedDataFailure.Reason) -> PackedDataFailure {
        PackedDataFailure(packing: .gz, reason: reason)
    }
}
