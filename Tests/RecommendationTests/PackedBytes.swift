import CZstd
import Recommendation

/// Packed as one member or frame.
func packed(_ text: [UInt8], _ packing: FilePacking) -> [UInt8] {
    switch packing {
    case .gz: gzipped(text)
    case .zst: zstandard(text)
    }
}

func packed(_ text: String, _ packing: FilePacking) -> [UInt8] { packed(Array(text.utf8), packing) }

/// A frame of zst (RFC 8878) with a checksum.
func zstandard(_ text: [UInt8]) -> [UInt8] {
    let context = ZSTD_createCCtx()
    defer { ZSTD_freeCCtx(context) }
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    let bound = ZSTD_compressBound(text.count)
    return [UInt8](unsafeUninitializedCapacity: bound) { output, count in
        count = text.withUnsafeBytes {
            ZSTD_compress2(context, output.baseAddress, bound, $0.baseAddress, $0.count)
        }
    }
}

/// What a reader passes over: RFC 8878, 3.1.2.
func skippableFrame(_ content: [UInt8], kind: UInt8 = 0) -> [UInt8] {
    [0x50 | kind, 0x2A, 0x4D, 0x18, UInt8(content.count), 0, 0, 0] + content
}
