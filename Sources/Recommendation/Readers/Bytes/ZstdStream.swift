import CZstd

/// Expands zst (RFC 8878) piece by piece: memory holds one piece and the window, however much comes out. Frames that stand one
/// behind the other are one text, as `zstd` and `pzstd` have it; skippable frames are passed over.
final class ZstdStream: PackedStream {
    /// A frame says how far back it refers; who writes it chooses, and the reader needs that much memory. The bound is that of
    /// the command `zstd` without `--long`; its levels up to 19 stay within 8 MiB.
    static let windowMiB = 1 << (windowLog - 20)
    private static let windowLog = 27
    private static let piece = 1 << 18

    private let context: OpaquePointer
    private var input: [UInt8]
    private var consumed = 0
    private var bound = ExpansionBound()
    /// Also before the first one.
    private var isBetweenFrames = true
    private var hasBegun = false

    /// - Parameter beginning: of the file.
    init(_ beginning: [UInt8]) throws(PackedDataFailure) {
        guard let context = ZSTD_createDCtx() else { throw PackedDataFailure(packing: .zst, reason: .noMemory) }
        self.context = context
        input = beginning
        bound.bytesIn = beginning.count
        guard ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Int32(Self.windowLog))) == 0 else {
            throw PackedDataFailure(packing: .zst, reason: .noMemory)
        }
    }

    deinit { ZSTD_freeDCtx(context) }

    func next(_ more: () throws -> [UInt8]) throws -> [UInt8] {
        var text: [UInt8] = []
        while true {
            // What a full piece left in the window comes out without further input.
            if consumed == input.count {
                if !text.isEmpty { return text }
                input = try more()
                (consumed, bound.bytesIn) = (0, bound.bytesIn + input.count)
                if input.isEmpty {
                    guard isBetweenFrames, hasBegun else { throw failure(.cut) }
                    return []
                }
            }
            if isBetweenFrames { try beginFrame(more) }
            let expanded = try expand()
            bound.bytesOut += expanded.count
            guard bound.isKept else { throw failure(.bomb) }
            // Frames may be short: they go on together.
            text += expanded
            if text.count >= Self.piece { return text }
        }
    }

    /// The library would also read frames of its early releases, which nobody writes any more.
    private func beginFrame(_ more: () throws -> [UInt8]) throws {
        while input.count - consumed < FilePacking.markLength {
            let bytes = try more()
            guard !bytes.isEmpty else { throw failure(hasBegun ? .trailing : .cut) }
            input = Array(input[consumed...]) + bytes
            (consumed, bound.bytesIn) = (0, bound.bytesIn + bytes.count)
        }
        guard FilePacking.zst.begins(input[consumed...]) else { throw failure(.trailing) }
        (isBetweenFrames, hasBegun) = (false, true)
    }

    private func expand() throws(PackedDataFailure) -> [UInt8] {
        var status = 0
        let text = [UInt8](unsafeUninitializedCapacity: Self.piece) { text, count in
            input.withUnsafeBytes { bytes in
                var source = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: consumed)
                var target = ZSTD_outBuffer(dst: text.baseAddress, size: Self.piece, pos: 0)
                status = ZSTD_decompressStream(context, &target, &source)
                (consumed, count) = (source.pos, target.pos)
            }
        }
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
        isBetweenFrames = status == 0
        return text
    }

    private func failure(_ reason: PackedDataFailure.Reason) -> PackedDataFailure {
        PackedDataFailure(packing: .zst, reason: reason)
    }
}
