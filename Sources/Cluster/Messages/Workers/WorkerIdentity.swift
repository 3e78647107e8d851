import Files
import Foundation

/// The id of a worker and the secret that shows whose it is.
///
/// Ids can be read by everybody (`lethe status`); greeting with one takes the worker's place. So an id is made from a secret
/// that only the worker's data directory has, and a coordinator needs to remember nothing to check it, also after a restart.
/// Ids that an earlier release made were random; whoever greets first with one is its owner for as long as the coordinator
/// knows it.
public enum WorkerIdentity {
    /// Random, 64 hexadecimal digits.
    public static func makeSecret() -> String {
        (0..<32).map { _ in UInt8.random(in: .min ... .max) }.hexadecimal
    }

    /// A UUID of version 8 (RFC 9562), whose other bits are the beginning of the secret's SHA-256.
    public static func id(secret: String) -> String {
        var digits = Array(digest(of: secret).uppercased().prefix(32))
        guard digits.count == 32 else { return "" }
        digits[12] = "8"
        digits[16] = "8"
        let parts = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }
        return parts.joined(separator: "-")
    }

    /// Whether only one secret belongs to the id.
    public static func isMade(fromSecret id: String) -> Bool {
        let characters = Array(id)
        return UUID(uuidString: id) != nil && characters[14] == "8"
    }

    /// Whether the secret is the one that belongs to the id.
    ///
    /// - `known`: `digest(of:)` of what the id was last greeted with; says it of ids of earlier releases.
    public static func shows(_ secret: String, ownerOf id: String, known: String?) -> Bool {
        if isMade(fromSecret: id) { return id == self.id(secret: secret) }
        return !secret.isEmpty && known == digest(of: secret)
    }

    /// What may be kept of a secret.
    public static func digest(of secret: String) -> String {
        sha256(Array("lethe worker".utf8) + [0] + Array(secret.utf8))
    }
}
