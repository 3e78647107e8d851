import CZlib
import Foundation

/// Texts that are many and alike (certificates, entries of the audit log), as the ledger stores them: a byte that names the
/// dictionary, and a zlib stream (RFC 1950) that begins with that preset dictionary.
///
/// A text of some hundred bytes repeats little of itself; what it repeats is what all the others say.
enum PackedText {
    /// Bytes of a text. A longer one is stored as it is, and a stream that expands to more is damaged or hostile.
    static let longest = 16 << 20
    /// Binary logarithm of how far back zlib looks: dictionary and most texts. To clear the memory for more takes longer than
    /// to pack them.
    private static let window: Int32 = 13

    enum Failure: Error, Hashable {
        /// It begins with a byte that no release has written, or none that this one knows.
        case unknownDictionary
        case damaged
        case tooLong
        case noMemory
    }

    /// nil: it is better stored as it is.
    static func pack(_ text: Data) -> Data? {
        guard !text.isEmpty, text.count <= longest else { return nil }
        let dictionary = PackingDictionary.current
        guard let stream = compressed(text, dictionary.bytes), stream.count + 1 < text.count else { return nil }
        return Data([dictionary.number]) + stream
    }

    /// - Parameter limit: bytes that it may expand to.
    static func unpack(_ stored: Data, limit: Int = longest) throws(Failure) -> Data {
        guard let number = stored.first, let dictionary = PackingDictionary(number: number) else {
            throw .unknownDictionary
        }
        guard stored.count <= limit else { throw .tooLong }
        return try expanded([UInt8](stored.dropFirst()), dictionary.bytes, limit: limit)
    }

    // zlib notes the address of its stream and refuses another: it lies in memory of its own.

    private static func compressed(_ text: Data, _ dictionary: [UInt8]) -> Data? {
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        defer { stream.deallocate() }
        stream.initialize(to: z_stream())
        guard
            deflateInit2_(
                stream, 9, Z_DEFLATED, window, 6, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
                == Z_OK
        else { return nil }
        defer { deflateEnd(stream) }
        guard deflateSetDictionary(stream, dictionary, UInt32(dictionary.count)) == Z_OK else { return nil }
        var input = [UInt8](text)
        var output = [UInt8](repeating: 0, count: Int(deflateBound(stream, UInt(input.count))))
        let written: Int? = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                (stream.pointee.next_in, stream.pointee.avail_in) = (input.baseAddress, UInt32(input.count))
                (stream.pointee.next_out, stream.pointee.avail_out) = (output.baseAddress, UInt32(output.count))
                guard deflate(stream, Z_FINISH) == Z_STREAM_END else { return nil }
                return output.count - Int(stream.pointee.avail_out)
            }
        }
        return written.map { Data(output.prefix($0)) }
    }

    private static func expanded(_ packed: [UInt8], _ dictionary: [UInt8], limit: Int) throws(Failure) -> Data {
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        defer { stream.deallocate() }
        stream.initialize(to: z_stream())
        guard inflateInit2_(stream, 15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw .noMemory
        }
        defer { inflateEnd(stream) }
        var (input, piece) = (packed, [UInt8](repeating: 0, count: 1 << 14))
        var (text, consumed) = (Data(), 0)
        while true {
            let (left, room) = (input.count - consumed, piece.count)
            var (unread, unused) = (0, 0)
            let status = input.withUnsafeMutableBufferPointer { input in
                piece.withUnsafeMutableBufferPointer { piece in
                    stream.pointee.next_in = input.baseAddress.map { $0 + consumed }
                    stream.pointee.avail_in = UInt32(left)
                    (stream.pointee.next_out, stream.pointee.avail_out) = (piece.baseAddress, UInt32(room))
                    let status = inflate(stream, Z_NO_FLUSH)
                    (unread, unused) = (Int(stream.pointee.avail_in), Int(stream.pointee.avail_out))
                    return status
                }
            }
            consumed = input.count - unread
            text += piece.prefix(room - unused)
            guard text.count <= limit else { throw .tooLong }
            switch status {
            case Z_STREAM_END where unread == 0: return text
            case Z_OK where unread < left || unused < room: continue
            case Z_NEED_DICT:
                guard inflateSetDictionary(stream, dictionary, UInt32(dictionary.count)) == Z_OK else {
                    throw .damaged
                }
            case Z_MEM_ERROR: throw .noMemory
            default: throw .damaged
            }
        }
    }
}

extension PackedText.Failure: CustomStringConvertible {
    var description: String {
        switch self {
        case .unknownDictionary: "is packed with a dictionary that this release does not have"
        case .damaged: "is packed and does not expand"
        case .tooLong: "is packed and expands to more than a text may have"
        case .noMemory: "is packed, and there is no memory to expand it"
        }
    }
}
