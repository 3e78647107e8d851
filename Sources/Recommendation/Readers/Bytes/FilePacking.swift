/// How a file is packed, which its first bytes say, whatever it is called.
public enum FilePacking: String, CaseIterable, Sendable {
    /// RFC 1952.
    case gz
    /// RFC 8878.
    case zst

    /// Of files' names; only what is looked for beside a file goes by them.
    static let endings = allCases.map { "." + $0.rawValue }

    /// Bytes that tell.
    public static let markLength = 4

    /// nil: it is not packed, or there are too few bytes to tell.
    public init?(beginning: some Collection<UInt8>) {
        let found = Self.allCases.first { $0.begins(beginning) }
        guard let found else { return nil }
        self = found
    }

    func begins(_ beginning: some Collection<UInt8>) -> Bool {
        switch self {
        case .gz: return beginning.starts(with: [0x1F, 0x8B])
        case .zst:
            if beginning.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) { return true }
            // Of a frame that is passed over, as pzstd writes it in front; its first byte has four free bits.
            return beginning.first.map { $0 & 0xF0 == 0x50 } ?? false
                && beginning.dropFirst().starts(with: [0x2A, 0x4D, 0x18])
        }
    }

    /// What unpacks a file.
    var unpacking: String {
        switch self {
        case .gz: "gunzip FILE"
        case .zst: "zstd -d FILE"
        }
    }

    /// - Parameter beginning: of the file.
    func stream(_ beginning: [UInt8]) throws(PackedDataFailure) -> PackedStream {
        let unpacker: any Unpacker =
            switch self {
            case .gz: try GzipUnpacker()
            case .zst: try ZstdUnpacker()
            }
        return PackedStream(unpacker, beginning: beginning)
    }
}

/// Why packed data are not expanded.
struct PackedDataFailure: Error, CustomStringConvertible {
    enum Reason: Equatable {
        case cut, damaged, trailing, bomb, noMemory
        /// They were packed with what was learned from other files.
        case dictionary
        /// They refer to text further back than is kept.
        case window
    }

    var packing: FilePacking
    var reason: Reason

    var description: String {
        let data = "its \(packing.rawValue) data"
        return switch reason {
        case .cut: "\(data) end too early; fetch or pack it again"
        case .damaged: "\(data) are damaged; fetch or pack it again"
        case .trailing: "something that is no \(packing.rawValue) follows \(data)"
        case .bomb:
            "\(data) expand to more than \(ExpansionBound.greatestRatio) times their size, which no ratings do; "
                + "unpack it first if it is what you mean"
        case .noMemory: "there is no memory to expand \(data)"
        case .dictionary: "\(data) were packed with a dictionary, which is not read; pack it without one"
        case .window:
            "\(data) need a window of more than \(ZstdUnpacker.windowMiB) MiB, which is not read; "
                + "pack it without --long and --ultra, or unpack it first: zstd -d --long=31"
        }
    }
}

/// What keeps a small file from becoming a large one.
struct ExpansionBound {
    /// Ratings shrink to a tenth or a fifth; noughts can be packed to a thousandth and less.
    static let greatestRatio = 256
    /// Bytes that may come out whatever the ratio.
    private static let harmless = 64 << 20

    var bytesIn = 0
    var bytesOut = 0

    var isKept: Bool { bytesOut <= Self.harmless || bytesOut / Self.greatestRatio <= bytesIn }
}
