import Crypto
import Files
import Foundation

/// Tokens by their hashes: whoever reads the file can show none of them.
///
/// A line each: `ROLE SHA256-HEX [NAME]`. Empty lines and what follows a `#` at a line's beginning are left out. A token with
/// several roles has several lines.
public struct TokenFile: Hashable, Sendable {
    public struct Entry: Hashable, Sendable {
        public var role: Role
        /// SHA-256 of the token's bytes.
        public var digest: [UInt8]
        /// For people.
        public var name: String?
    }

    public struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        public var line: Int
        public var reason: String
        public var description: String { "line \(line): \(reason)" }
    }

    public var entries: [Entry]

    /// - Throws: `Refusal` for the first line that is none: a file of which a part is not understood is not used.
    public init(parsing text: String) throws(Refusal) {
        entries = []
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let fields = line.split(whereSeparator: \.isWhitespace)
            guard let first = fields.first, !first.hasPrefix("#") else { continue }
            guard let role = Role(rawValue: String(first)) else {
                let roles = Role.allCases.map(\.rawValue).joined(separator: ", ")
                throw Refusal(line: number + 1, reason: "\(first.prefix(20)) is no role (\(roles))")
            }
            guard fields.count >= 2, let digest = [UInt8](hexadecimal: fields[1]), digest.count == 32 else {
                throw Refusal(
                    line: number + 1, reason: "after the role comes the token's SHA-256 in 64 hexadecimal digits")
            }
            let name = fields.dropFirst(2).joined(separator: " ")
            entries.append(Entry(role: role, digest: digest, name: name.isEmpty ? nil : name))
        }
    }

    /// Whoever shows the token; nil: nobody's.
    ///
    /// Every entry is compared, and each to its end: the time tells nothing of what is in the file.
    func identity(of token: String) -> Identity? {
        let digest = Array(SHA256.hash(data: Data(token.utf8)))
        var roles: Set<Role> = []
        for entry in entries {
            var difference: UInt8 = 0
            for (known, shown) in zip(entry.digest, digest) { difference |= known ^ shown }
            if difference == 0 { roles.insert(entry.role) }
        }
        return roles.isEmpty ? nil : Identity(roles: roles, asker: digest.hexadecimal)
    }
}

/// A new token and the line that admits it.
public struct NewToken: Sendable {
    /// To be given to whoever is to show it, and to nobody else.
    public let token: String
    public let line: String

    /// 256 bits of the system's randomness.
    public init(role: Role, name: String?) {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
        token = "lethe_" + bytes.hexadecimal
        let digest = SHA256.hash(data: Data(token.utf8)).hexadecimal
        line = [role.rawValue, digest, name].compactMap(\.self).joined(separator: " ")
    }
}
