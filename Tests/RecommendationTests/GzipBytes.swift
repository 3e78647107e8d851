import CZlib

/// A member of gz (RFC 1952).
func gzipped(_ text: [UInt8]) -> [UInt8] {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    defer { stream.deallocate() }
    stream.initialize(to: z_stream())
    deflateInit2_(
        stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    defer { deflateEnd(stream) }
    var (input, output) = (text, [UInt8](repeating: 0, count: Int(deflateBound(stream, UInt(text.count))) + 64))
    let written = input.withUnsafeMutableBufferPointer { input in
        output.withUnsafeMutableBufferPointer { output in
            (stream.pointee.next_in, stream.pointee.avail_in) = (input.baseAddress, UInt32(input.count))
            (stream.pointee.next_out, stream.pointee.avail_out) = (output.baseAddress, UInt32(output.count))
            deflate(stream, Z_FINISH)
            return output.count - Int(stream.pointee.avail_out)
        }
    }
    return Array(output.prefix(written))
}

func gzipped(_ text: String) -> [UInt8] { gzipped(Array(text.utf8)) }
