import Crypto
import Files
import Foundation
import Messages

/// The first page of the slots' file: whose keys they are and what they are wrapped with.
///
/// Written once, with the file: nothing is written to its page later. Magic (8), format
/// (4), 1 where wrapped (4), identity padded with zeros (64), its length (4), zeros (12), check value (32), salt (16),
/// zeros; from byte 224 on SHA-256 of all that. What changes in place, the number of slots and the epoch, lies elsewhere
/// (`KeyFileLayout`); a file of an earlier release may have no epoch.
struct KeyFolderHeader {
    static let size = 4096
    static let identityLimit = 64
    private static let magic = Array("LETHEKEY".utf8)
    private static let checked = 224

    var layout = KeyFileLayout.present
    /// The cluster's name.
    var cluster: String
    /// Recognises the master key; nil: the keys lie in clear.
    var check: [UInt8]?
    /// Random: two folders under one master key have different wrapping keys.
    var salt: [UInt8]

    init(cluster: String, master: SymmetricKey?) {
        self.cluster = cluster
        salt = SymmetricKey(size: .bits128).rawBytes
        check = nil
        check = wrapping(master).map(Self.check)
    }

    /// What keys are sealed with under a master key, which itself seals nothing.
    func wrapping(_ master: SymmetricKey?) -> SymmetricKey? {
        master?.derived(for: "lethe key folder \(salt.hexadecimal)")
    }

    private static func check(_ wrapping: SymmetricKey) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Data("lethe master key".utf8), using: wrapping))
    }

    /// - Returns: the page, without a number of slots.
    func bytes() throws -> [UInt8] {
        let identity = Array(cluster.utf8)
        guard identity.count <= Self.identityLimit else {
            throw LedgerError.invalidConfiguration(
                reason: "the cluster's name has \(identity.count) bytes, more than \(Self.identityLimit)")
        }
        var bytes = Self.magic
        bytes.append(number: layout.format)
        bytes.append(number: UInt32(check == nil ? 0 : 1))
        bytes += identity + [UInt8](repeating: 0, count: Self.identityLimit - identity.count)
        bytes.append(number: UInt32(identity.count))
        bytes += [UInt8](repeating: 0, count: 12)
        bytes += check ?? [UInt8](repeating: 0, count: 32)
        bytes += salt
        bytes += [UInt8](repeating: 0, count: Self.checked - bytes.count)
        bytes += SHA256.hash(data: bytes)
        return bytes + [UInt8](repeating: 0, count: Self.size - bytes.count)
    }

    /// - Throws: `LedgerError.keyUnusable`, naming the file.
    init(_ bytes: [UInt8], path: String) throws {
        func unusable(_ reason: String) -> LedgerError {
            .keyUnusable(path: path, reason: "\(reason). \(KeyFolderLoss.all)")
        }
        guard bytes.count == Self.size, Array(bytes[..<8]) == Self.magic else {
            throw unusable("this is no file of keys, or its beginning is damaged")
        }
        guard let layout = KeyFileLayout(format: bytes.number(at: 8)) else {
            throw LedgerError.keyUnusable(
                path: path, reason: "the file of keys was written by a later release; use that one")
        }
        let length = Int(bytes.number(at: 80))
        guard Array(bytes[Self.checked..<Self.checked + 32]) == Array(SHA256.hash(data: bytes[..<Self.checked])),
            length <= Self.identityLimit, let cluster = String(validating: bytes[16..<16 + length], as: UTF8.self)
        else { throw unusable("the beginning of the file of keys is damaged") }
        (self.layout, self.cluster) = (layout, cluster)
        check = bytes.number(at: 12) == 0 ? nil : Array(bytes[96..<128])
        salt = Array(bytes[128..<144])
    }

    static func isOfLaterRelease(_ bytes: [UInt8]) -> Bool {
        bytes.count == size && Array(bytes[..<8]) == magic && bytes.number(at: 8) > KeyFileLayout.present.format
    }

    /// - Returns: what opens the keys; nil: they lie in clear.
    /// - Throws: `LedgerError.keyUnusable` where the folder is another cluster's or the master key is not its own.
    func unlock(cluster: String, master: SymmetricKey?, path: String) throws -> SymmetricKey? {
        func unusable(_ reason: String) -> LedgerError { .keyUnusable(path: path, reason: reason) }
        guard cluster == self.cluster else {
            throw unusable(
                "these are the keys of another cluster (\(self.cluster), not \(cluster)): nothing of this one can be read "
                    + "with them; name its own folder with --keys-dir")
        }
        let wrapping = self.wrapping(master)
        switch (check, wrapping) {
        case (nil, nil): return nil
        case (nil, _?):
            throw unusable("the keys are not sealed under a master key; start without --master-key")
        case (_?, nil):
            throw unusable(
                "the keys are sealed under a master key; give it with --master-key. \(KeyFolderLoss.withoutMaster)")
        case (let check?, let wrapping?):
            guard Self.check(wrapping) == check else {
                throw unusable("the keys are sealed under another master key. \(KeyFolderLoss.withoutMaster)")
            }
            return wrapping
        }
    }
}

/// What people are told when keys cannot be used.
enum KeyFolderLoss {
    static let all =
        "Without the keys nobody's record, no adapter, and nothing that workers keep on their disks can be read any more; the "
        + "catalogue, what was forgotten, the audit log and the certificates can. Put the folder back, say where it is with "
        + "--keys-dir, or start once with --accept-new-keys: everybody's data is then lost and has to be imported again"
    static let withoutMaster =
        "Without it nobody's record, no adapter and nothing that workers keep can be read; nothing was changed"
}

extension [UInt8] {
    fileprivate mutating func append(number: UInt32) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }

    fileprivate func number(at offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(self[offset + $1]) << UInt32(8 * $1) }
    }
}
