/// Paths as texts. Foundation's `deletingLastPathComponent` of a text ends the process for a path of one character.
package enum FilePath {
    /// The folder that a file or folder lies in: what stands before the last slash, `.` without one, `/` for what lies in the
    /// root and for the root itself. Slashes at the end, and several together, count as one.
    package static func folder(of path: String) -> String {
        let slash = UInt8(ascii: "/")
        let bytes = Array(path.utf8)
        guard let nameEnd = bytes.lastIndex(where: { $0 != slash }) else { return bytes.isEmpty ? "." : "/" }
        guard let cut = bytes[...nameEnd].lastIndex(of: slash) else { return "." }
        guard let folderEnd = bytes[...cut].lastIndex(where: { $0 != slash }) else { return "/" }
        return String(decoding: bytes[...folderEnd], as: UTF8.self)
    }
}
