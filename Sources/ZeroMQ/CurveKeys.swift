import CZeroMQ
import Foundation

/// A CURVE public key: 32 bytes, written as 40 characters of Z85 (RFC 32).
public struct CurvePublicKey: Hashable, Sendable, CustomStringConvertible {
    public let text: String

    /// - Throws: `invalidKey` for anything but a Z85 key, and for the keys printed in libzmq's manual.
    public init(_ text: String) throws(ZeroMQError) {
        self.text = try CurveKeyPair.checked(text, "public")
    }

    /// From the 32 bytes themselves; nil for another number of them.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        var text = [CChar](repeating: 0, count: 41)
        guard zmq_z85_encode(&text, bytes, 32) != nil else { return nil }
        self.text = String(decoding: text.prefix(40).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    public var description: String { text }

    /// Tells keys without names apart.
    public var shortName: String { "key \(text.prefix(8))" }

    /// Reads the public key of a certificate file, with or without its secret part.
    public init(contentsOf path: String) throws(ZeroMQError) {
        let fields = try Certificate.read(path)
        guard let key = fields["public-key"] else { throw .invalidKey(reason: "\(path) holds no public-key") }
        try self.init(key)
    }
}

/// A CURVE key pair. Its description shows the public key only.
public struct CurveKeyPair: Sendable, CustomStringConvertible {
    public let publicKey: CurvePublicKey
    /// Z85, 40 characters.
    let secretKey: String

    /// A new random pair.
    public static func generate() throws(ZeroMQError) -> CurveKeyPair {
        var publicKey = [CChar](repeating: 0, count: 41)
        var secretKey = publicKey
        guard zmq_curve_keypair(&publicKey, &secretKey) == 0 else { throw .last("zmq_curve_keypair") }
        return try CurveKeyPair(secretKey: text(secretKey))
    }

    /// - Throws: `invalidKey` for anything but a Z85 key, and for the keys printed in libzmq's manual.
    public init(secretKey: String) throws(ZeroMQError) {
        self.secretKey = try Self.checked(secretKey, "secret")
        var publicKey = [CChar](repeating: 0, count: 41)
        guard zmq_curve_public(&publicKey, secretKey) == 0 else { throw .last("zmq_curve_public") }
        self.publicKey = try CurvePublicKey(Self.text(publicKey))
    }

    /// Reads a certificate file.
    ///
    /// A group may read it: orchestrators mount secrets as root's, readable by the group of the process.
    /// - Throws: `invalidKey` when it holds no usable secret key, when its group may write it, or when others may read,
    ///   write or execute it.
    public init(contentsOf path: String) throws(ZeroMQError) {
        let fields = try Certificate.read(path)
        guard let key = fields["secret-key"] else { throw .invalidKey(reason: "\(path) holds no secret-key") }
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & 0o027 == 0 else {
            throw .invalidKey(reason: "\(path) is open to others; make it private with: chmod 600 \(path)")
        }
        try self.init(secretKey: key)
    }

    /// Writes the pair to a new file that only its owner can read, and the public key to `path` + ".pub", which is as
    /// private: its owner decides who gets it.
    ///
    /// The format is CZMQ's certificate.
    /// - Throws: `invalidKey` when one of the files exists already or cannot be written: then neither was made.
    public func write(to path: String) throws(ZeroMQError) {
        let publicPart = "curve\n    public-key = \"\(publicKey.text)\"\n"
        let secret = try NewFile(publicPart + "    secret-key = \"\(secretKey)\"\n", for: path)
        let shared = try NewFile(publicPart, for: path + ".pub")
        // Whoever is stopped in between has no secret that seems to belong to nothing.
        try shared.publish()
        do throws(ZeroMQError) {
            try secret.publish()
        } catch {
            shared.takeBack()
            throw error
        }
    }

    public var description: String { "CURVE key pair \(publicKey.text)" }

    /// The example keys of the manual page zmq_curve(7): everybody has them.
    private static let published: Set<String> = [
        "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID", "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs",
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6",
    ]

    static func checked(_ key: String, _ part: String) throws(ZeroMQError) -> String {
        let alphabet = Set("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#")
        guard key.utf8.count == 40, key.allSatisfy(alphabet.contains) else {
            throw .invalidKey(reason: "a \(part) key has 40 characters of the Z85 alphabet")
        }
        var bytes = [UInt8](repeating: 0, count: 32)
        guard zmq_z85_decode(&bytes, key) != nil else {
            throw .invalidKey(reason: "the \(part) key is not valid Z85")
        }
        guard !published.contains(key) else {
            throw .invalidKey(reason: "this \(part) key is printed in a manual page, everybody has it; make your own")
        }
        return key
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix(40).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// The subset of CZMQ's certificate files that is needed: lines of `name = "value"`.
private enum Certificate {
    static func read(_ path: String) throws(ZeroMQError) -> [String: String] {
        guard let file = FileManager.default.contents(atPath: path) else {
            throw .invalidKey(reason: "cannot read the key file \(path)")
        }
        guard file.count <= 65_536 else { throw .invalidKey(reason: "\(path) is no key file") }
        var fields: [String: String] = [:]
        for line in text(of: file).split(whereSeparator: \.isNewline) {
            guard let equals = line.firstIndex(of: "=") else { continue }
            let name = line[..<equals].trimmingCharacters(in: .whitespaces)
            let value = line[line.index(after: equals)...].trimmingCharacters(in: .whitespaces)
            guard value.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") else { continue }
            // The last of several would be the only one that counts, and nobody would know.
            guard fields[name] == nil else {
                throw .invalidKey(reason: "\(path) holds more than one \(name): every key needs a file of its own")
            }
            fields[name] = String(value.dropFirst().dropLast())
        }
        return fields
    }

    /// As editors and shells of other systems save it: with a byte order mark, or as UTF-16.
    private static func text(of file: Data) -> String {
        let mark = [UInt8](file.prefix(2))
        if [[0xFF, 0xFE], [0xFE, 0xFF]].contains(mark), let text = String(data: file, encoding: .utf16) {
            return text
        }
        let text = String(decoding: file, as: UTF8.self)
        return text.hasPrefix("\u{FEFF}") ? String(text.dropFirst()) : text
    }
}
