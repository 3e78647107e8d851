import CZlib

/// Expands gz (RFC 1952) piece by piece: memory holds one piece, however much comes out. Members that stand one behind the
/// other are one text, as `gzip` and `pigz` have it.
final class GzipStream {
    enum Failure: Error, CustomStringConvertible {
        case cut, damaged, trailing, bomb, noMemory

        var description: String {
            switch self {
            case .cut: "its gz data end too early; fetch or pack it again"
            case .damaged: "its gz data are damaged; fetch or pack it again"
            case .trailing: "something that is no gz follows its gz data"
            case .bomb:
                "its gz data expand to more than \(GzipStream.greatestRatio) times their size, which no ratings do; "
                    + "unpack it first if it is what you mean"
            case .noMemory: "there is no memory to expand its gz data"
            }
        }
    }

    /// Ratings shrink to a tenth or a fifth; gz can shrink noughts to a thousandth.
    static let greatestRatio = 256
    /// Bytes that may come out whatever the ratio.
    private static let harmless = 64 << 20
    private static let piece = 1 << 18

    // zlib notes the address of its stream and refuses another: it lies in memory of its own.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private var input: [UInt8]
    private var consumed = 0
    private var (bytesIn, bytesOut) = (0, 0)
    private var isBetweenMembers = false

    /// - Parameter beginning: of the file.
    init(_ beginning: [UInt8]) throws(Failure) {
        input = beginning
        bytesIn = beginning.count
        stream.initialize(to: z_stream())
        // 16: gz's own header and checksum.
        guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw .noMemory
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// The next piece of the text; empty at its end.
    ///
    /// - Parameter more: the next bytes of the file; empty at its end.
    func next(_ more: () throws -> [UInt8]) throws -> [UInt8] {
        var text: [UInt8] = []
        while true {
            if consumed == input.count {
                if !text.isEmpty { return text }
                input = try more()
                (consumed, bytesIn) = (0, bytesIn + input.count)
                if input.isEmpty {
                    guard isBetweenMembers else { throw Failure.cut }
                    return []
                }
            }
            if isBetweenMembers, try !beginMember() { continue }
            let expanded = try expand()
            bytesOut += expanded.count
            guard bytesOut <= Self.harmless || bytesOut / Self.greatestRatio <= bytesIn else { throw Failure.bomb }
            // Members may be short: they go on together.
            text += expanded
            if text.count >= Self.piece { return text }
        }
    }

    /// False: only noughts are left, with which tapes and some tools fill up.
    private func beginMember() throws(Failure) -> Bool {
        while consumed < input.count, input[consumed] == 0 { consumed += 1 }
        guard consumed < input.count else { return false }
        guard input[consumed] == FileContents.gzip[0], inflateReset(stream) == Z_OK else { throw .trailing }
        isBetweenMembers = false
        return true
    }

    private func expand() throws(Failure) -> [UInt8] {
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
        case Z_MEM_ERROR: throw .noMemory
        default: throw .damaged
        }
        return text
    }
}
