import Crypto
import Files
import Foundation

/// A statement and its signature in one text that nothing on its way can change unnoticed: JWS in compact form (RFC 7515)
/// with Ed25519 (RFC 8037).
///
/// `base64url(header).base64url(payload).base64url(signature)`; what is signed is the text up to the second dot, byte for
/// byte. Header: `{"alg":"EdDSA","kid":…,"typ":…}`, where `kid` is the SHA-256 of the raw public key in hexadecimal. Any JOSE
/// library reads it.
public struct SignedStatement: Codable, Hashable, Sendable {
    package struct Header: Codable {
        package var alg: String
        package var kid: String
        package var typ: String

        package init(alg: String, kid: String, typ: String) {
            self.alg = alg
            self.kid = kid
            self.typ = typ
        }
    }

    /// The compact form.
    public let compact: String
    /// JSON with snake-case, sorted keys.
    public let payload: Data
    /// 64 bytes.
    public let signature: Data
    private let signed: Data
    /// JSON.
    package let header: Data

    /// - `type`: of the payload, for the header.
    package init(_ payload: some Encodable, type: String, signedBy key: Curve25519.Signing.PrivateKey) throws {
        let header = Header(alg: "EdDSA", kid: Self.keyID(key.publicKey.rawRepresentation), typ: type)
        self.header = try JSONEncoder.stable.encode(header)
        self.payload = try JSONEncoder.statement.encode(payload)
        let text = self.header.base64URL + "." + self.payload.base64URL
        signed = Data(text.utf8)
        signature = try key.signature(for: signed)
        compact = text + "." + signature.base64URL
    }

    /// nil: not of that form. Whether the signature is right is another question.
    public init?(compact: String) {
        let parts = compact.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Data(base64URL: parts[0]), let payload = Data(base64URL: parts[1]),
            let signature = Data(base64URL: parts[2]),
            let fields = try? JSONDecoder().decode(Header.self, from: header), fields.alg == "EdDSA"
        else { return nil }
        self.compact = compact
        self.header = header
        self.payload = payload
        self.signature = signature
        signed = Data((parts[0] + "." + parts[1]).utf8)
    }

    /// Of the parts that the compact form is made of; nil: not of that form.
    package init?(header: Data, payload: Data, signature: Data) {
        self.init(compact: [header, payload, signature].map(\.base64URL).joined(separator: "."))
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let value = SignedStatement(compact: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no JWS in compact form")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(compact)
    }

    /// The header's `typ`.
    public var type: String { (try? JSONDecoder().decode(Header.self, from: header))?.typ ?? "" }

    /// The header's `kid`: of the key that signed, says the header.
    package var keyID: String { (try? JSONDecoder().decode(Header.self, from: header))?.kid ?? "" }

    /// - Parameter publicKey: raw Ed25519, 32 bytes.
    public func verify(publicKey: Data) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else { return false }
        return key.isValidSignature(signature, for: signed)
    }

    package func decoded<Payload: Decodable>(_ type: Payload.Type) throws -> Payload {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: payload)
    }

    /// SHA-256 of the payload in hexadecimal: names the statement elsewhere.
    public var digest: String { SHA256.hash(data: payload).hexadecimal }

    /// How a public key is named in a header.
    public static func keyID(_ publicKey: Data) -> String { SHA256.hash(data: publicKey).hexadecimal }
}

extension JSONEncoder {
    /// What is signed: the same bytes for the same value, with the keys that replies are printed with.
    package static var statement: JSONEncoder {
        let encoder = JSONEncoder.stable
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return encoder
    }
}

extension Data {
    /// RFC 4648, section 5, without padding.
    package var base64URL: String {
        let encoded = base64EncodedData()
        return String(unsafeUninitializedCapacity: encoded.count) { text in
            var count = 0
            for byte in encoded where byte != UInt8(ascii: "=") {
                text[count] =
                    switch byte {
                    case UInt8(ascii: "+"): UInt8(ascii: "-")
                    case UInt8(ascii: "/"): UInt8(ascii: "_")
                    default: byte
                    }
                count += 1
            }
            return count
        }
    }

    /// nil: other characters, padding, or unused bits that are not zero: every text has one reading and back.
    package init?(base64URL text: some StringProtocol) {
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        let plain = String(text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
        guard let data = Data(base64Encoded: plain + padding), data.base64URL == text else { return nil }
        self = data
    }
}
