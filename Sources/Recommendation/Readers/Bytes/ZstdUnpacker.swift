import CZstd

/// Expands zst (RFC 8878). Frames that stand one behind the other are one text, as `zstd` and `pzstd` have it; skippable frames are
/// passed over.
final class ZstdUnpacker: Unpacker {
    /// A frame says how far back it refers; who writes it chooses, and the reader needs that much memory. The bound is that of
    /// the command `zstd` without `--long`; its levels up to 19 stay within 8 MiB.
    static let windowMiB = 1 << (windowLog - 20)
    private static let windowLog = 27

    let packing = FilePacking.zst
    private let context: OpaquePointer
    /// Also before the first one.
    private(set) var isBetweenParts = true
    private var hasBegun = false

    var mayEnd: Bool { isBetweenParts && hasBegun }

    init() throws(PackedDataFailure) {
        guard let context = ZSTD_createDCtx() else { throw PackedDataFailure(packing: .zst, reason: .noMemory) }
        self.context = context
        guard ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Int32(Self.windowLog))) == 0 else {
            throw PackedDataFailure(packing: .zst, reason: .noMemory)
        }
    }

    deinit { ZSTD_freeDCtx(context) }

    /// The library would also read frames of its early releases, which nobody writes any more.
    func beginPart(_ input: inout PackedInput, _ more: () throws -> [UInt8]) throws -> Bool {
        while input.rest.count < FilePacking.markLength {
            guard try input.read(more) else { throw failure(hasBegun ? .trailing : .cut) }
        }
        guard FilePacking.zst.begins(input.rest) else { throw failure(.trailing) }
        (isBetweenParts, hasBegun) = (false, true)
        return true
    }

    func expand(_ input: inout PackedInput) throws(PackedDataFailure) -> [UInt8] {
        var (status, consumed) = (0, input.consumed)
        let text = [UInt8](unsafeUninitializedCapacity: PackedStream.piece) { text, count in
            input.bytes.withUnsafeBytes { bytes in
                var source = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: consumed)
                var target = ZSTD_outBuffer(dst: text.baseAddress, size: PackedStream.piece, pos: 0)
                status = ZSTD_decompressStream(context, &target, &source)
                (consumed, count) = (source.pos, target.pos)
            }
        }
        input.consumed = consumed
        guard ZSTD_isError(status) == 0 else {
            let reason: PackedDataFailure.Reason =
                switch ZSTD_getErrorCode(status) {
                case ZSTD_error_memory_allocation: .noMemory
                case ZSTD_error_frameParameter_windowTooLarge: .window
                case ZSTD_error_dictionary_wrong, ZSTD_error_dictionary_corrupted: .dictionary
                default: .damaged
                }
            throw failure(reason)
        }
        isBetweenParts = status == 0
        return text
    }

    private func failure(_ reason: PackedDataFailure.Reason) -> PackedDataFailure {
        PackedDataFailure(packing: .zst, reason: reason)
    }
}
