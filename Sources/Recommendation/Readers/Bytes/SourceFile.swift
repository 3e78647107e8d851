import Foundation

/// One of the files of an import.
struct SourceFile: Hashable {
    /// What names standard input on a command line.
    static let standardInput = "-"

    var path: String
    /// As reports name it.
    var name: String
    /// As it was declared; nil: recognised.
    var encoding: TextEncoding?

    init(_ path: String, name: String? = nil, encoding: TextEncoding? = nil) {
        self.path = path
        self.name = name ?? (path == Self.standardInput ? "standard input" : path.lastPathComponent)
        self.encoding = encoding
    }

    /// False for pipes and devices: opened twice they give nothing, or wait for ever.
    var isRegular: Bool {
        guard path != Self.standardInput else { return false }
        let url = URL(fileURLWithPath: path).resolvingSymlinksInPath()
        return (try? url.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile) ?? false
    }

    var exists: Bool {
        path == Self.standardInput || (FileManager.default.fileExists(atPath: path) && !Self.isFolder(path))
    }

    static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    /// The ending that says how the file is written, in small letters: `ratings.CSV.gz` is a `csv`.
    static func ending(of path: String) -> String {
        let name = path.lowercased() as NSString
        let isPacked = FilePacking.endings.contains("." + name.pathExtension)
        return isPacked ? (name.deletingPathExtension as NSString).pathExtension : name.pathExtension
    }
}

extension String {
    var lastPathComponent: String { (self as NSString).lastPathComponent }
}
