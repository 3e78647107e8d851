import Crypto
import Files
import Foundation
import LanguageModels

/// Which start of a cluster's coordinator it is: two coordinators that were started from copies of one data directory can be
/// told apart, and the older one refused.
///
/// Every start of a coordinator takes the next counter and a fresh nonce, durably and before anything is answered. Workers
/// and clients remember the newest that they have seen, by cluster. A counter alone would not do: two copies that are
/// started after each other both take the next one, and an old copy that is started often enough overtakes. So a generation
/// also lists the nonces before its own, and who remembers one that is not among them has seen a line of descent of which
/// this coordinator knows nothing. What nobody remembers cannot be noticed: a copy that reaches neither the workers nor
/// the clients of the other one stays unnoticed until it does.
public struct Generation: Codable, Hashable, Sendable {
    /// Nonces kept of the generations before; an older one is then believed to be an ancestor.
    package static let ancestors = 64
    package static let counters = 1...(1 << 40)

    /// From 1.
    public let counter: Int
    /// 128 random bits of this start, in hexadecimal.
    public let nonce: String
    /// Nonces of the counters before, newest first.
    public let earlier: [String]
    /// Ed25519 over `signedBytes` with the cluster's key, in hexadecimal: nobody else can declare a coordinator superseded.
    public let signature: String

    /// What a generation is to somebody who remembers another one.
    public enum Relation: Hashable, Sendable {
        case same
        /// It comes after the remembered one.
        case newer
        /// The remembered one came after it.
        case older
        /// Neither comes after the other: two data directories went on from one.
        case conflict
    }

    package init(counter: Int, nonce: String, earlier: [String], signature: String) {
        self.counter = counter
        self.nonce = nonce
        self.earlier = earlier
        self.signature = signature
    }

    public init(from decoder: any Swift.Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        counter = try container.decode(Int.self, forKey: .counter)
        nonce = try container.decode(String.self, forKey: .nonce)
        earlier = try container.decode([String].self, forKey: .earlier)
        signature = try container.decode(String.self, forKey: .signature)
        let isHexadecimal = ([nonce] + earlier).allSatisfy { $0.utf8.count == 32 && $0.allSatisfy(\.isHexDigit) }
        guard Self.counters.contains(counter), isHexadecimal, earlier.count <= Self.ancestors,
            signature.utf8.count == 128, signature.allSatisfy(\.isHexDigit)
        else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "an impossible generation"))
        }
    }

    public func relation(to remembered: Generation) -> Relation {
        if counter < remembered.counter { return .older }
        if counter == remembered.counter { return nonce == remembered.nonce ? .same : .conflict }
        let position = counter - remembered.counter - 1
        guard position < earlier.count else { return .newer }
        return earlier[position] == remembered.nonce ? .newer : .conflict
    }

    /// UTF-8 of the lines "lethe generation", cluster, counter, nonce.
    package static func signedBytes(cluster: String, counter: Int, nonce: String) -> Data {
        Data("lethe generation\n\(cluster)\n\(counter)\n\(nonce)\n".utf8)
    }

    package func isSigned(cluster: String, publicKey: Data) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey),
            let signature = [UInt8](hexadecimal: signature)
        else { return false }
        return key.isValidSignature(
            signature, for: Self.signedBytes(cluster: cluster, counter: counter, nonce: nonce))
    }
}

/// A coordinator that somebody has seen.
public struct KnownGeneration: Codable, Hashable, Sendable {
    public var cluster: String
    public var generation: Generation

    public init(cluster: String, generation: Generation) {
        self.cluster = cluster
        self.generation = generation
    }
}
