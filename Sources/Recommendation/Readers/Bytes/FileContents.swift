/// What the first bytes of a file say that it is, if it is no text.
enum FileContents {
    /// What is not read, and how it becomes what is. nil: nothing speaks against text.
    ///
    /// - Parameter packing: what the bytes were unpacked from.
    static func objection(to beginning: ArraySlice<UInt8>, unpackedFrom packing: FilePacking? = nil, path: String)
        -> String?
    {
        let file = path == SourceFile.standardInput ? "FILE" : path
        if let packing, let inner = FilePacking(beginning: beginning) {
            return "it is \(inner.rawValue) inside \(packing.rawValue); unpack it once: "
                + packing.unpacking.replacing("FILE", with: file)
        }
        return signatures.first { beginning.starts(with: $0.bytes) }.map { signature in
            "it is \(signature.name), which is not read; convert it first: "
                + signature.conversion.replacing("FILE", with: file)
        }
    }

    private struct Signature {
        var name: String
        var bytes: [UInt8]
        var conversion: String
    }

    private static let pandas = "python3 -c \"import pandas as p; p.READ('FILE').to_csv('ratings.csv', index=False)\""

    private static let signatures = [
        Signature(name: "bzip2", bytes: Array("BZh".utf8), conversion: "bunzip2 FILE"),
        Signature(name: "xz", bytes: [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0], conversion: "unxz FILE"),
        Signature(
            name: "Parquet", bytes: Array("PAR1".utf8), conversion: pandas.replacing("READ", with: "read_parquet")),
        Signature(
            name: "Arrow", bytes: Array("ARROW1".utf8), conversion: pandas.replacing("READ", with: "read_feather")),
        Signature(
            name: "zip, or a table of a spreadsheet", bytes: [0x50, 0x4B, 3, 4],
            conversion: "unzip FILE, or save the table as CSV"),
    ]
}
