import Crypto
import Files
import Foundation
import Messages

/// Where the key lies that seals all others: a file, or what a parent process or a secret store hands over.
///
/// 32 bytes as they are, or 64 hexadecimal digits, perhaps with a byte order mark before and blanks and line ends around them.
package enum MasterKey: Hashable, Sendable {
    case file(String)
    /// Open when the process starts; read to its end once and closed.
    case descriptor(Int32)

    private static let size = 32
    /// Two digits a byte and what may be around them; one more shows what is too long.
    private static let readLimit = 2 * size + 64

    /// - Parameter text: a path, or `fd:` and a number.
    /// - Returns: nil for an empty path or no number of a descriptor.
    package init?(_ text: String) {
        guard text.hasPrefix("fd:") else {
            guard !text.isEmpty else { return nil }
            self = .file(text)
            return
        }
        guard let number = Int32(text.dropFirst(3)), number >= 0 else { return nil }
        self = .descriptor(number)
    }

    /// - Throws: `LedgerError.keyUnusable` for what cannot be read or is no key.
    package func read() throws(LedgerError) -> SymmetricKey {
        let descriptor: Int32
        switch self {
        case .file(let path): descriptor = open(path, O_RDONLY | O_CLOEXEC)
        case .descriptor(let number): descriptor = number
        }
        guard descriptor >= 0 else { throw unreadable() }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: Self.readLimit)
        var length = 0
        defer { bytes.withUnsafeMutableBytes { $0.wipe() } }
        while length < Self.readLimit {
            let count = bytes[length...].withUnsafeMutableBytes {
                Foundation.read(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreadable() }
            if count == 0 { break }
            length += count
        }
        guard let key = Self.key(bytes[..<length]) else {
            throw .keyUnusable(
                path: name,
                reason: "the master key is \(Self.size) bytes or \(2 * Self.size) hexadecimal digits, not "
                    + (length < Self.readLimit ? "these \(length) bytes" : "more"))
        }
        return key
    }

    private static func key(_ bytes: ArraySlice<UInt8>) -> SymmetricKey? {
        if bytes.count == size { return SymmetricKey(data: bytes) }
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let text = bytes.starts(with: mark) ? bytes.dropFirst(mark.count) : bytes
        let blanks = Array(" \t\r\n".utf8)
        guard let first = text.firstIndex(where: { !blanks.contains($0) }),
            let last = text.lastIndex(where: { !blanks.contains($0) })
        else { return nil }
        let digits = text[first...last]
        guard digits.count == 2 * size else { return nil }
        return [UInt8](hexadecimal: String(decoding: digits, as: UTF8.self)).map { SymmetricKey(data: $0) }
    }

    private var name: String {
        switch self {
        case .file(let path): path
        case .descriptor(let number): "fd:\(number)"
        }
    }

    private func unreadable() -> LedgerError {
        .keyUnusable(
            path: name,
            reason: "the master key cannot be read (\(String(cString: strerror(errno)))); nothing that depends on "
                + "people can be read without it")
    }
}
