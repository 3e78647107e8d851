import Files
import Foundation
import GRDB
import Messages

/// What is kept of a forget request from its certificate on: the outcome and the certificate, in one text, which is packed.
/// Counts, times and adapters stand in both, and a packed text holds what it repeats once.
///
/// Four lines, and the rest of the text: the outcome as JSON, the public key in base64, the header of the certificate's JWS,
/// its signature in base64url; and its payload, byte for byte. (Base64 of the payload, as the JWS has it, would hide from zlib
/// what the payload repeats.) A row of a release before has both as JSON, in columns of their own.
struct ClosedRequest {
    var outcome: ForgetOutcome
    var certificate: Certificate

    init(outcome: ForgetOutcome, certificate: Certificate) {
        (self.outcome, self.certificate) = (outcome, certificate)
    }

    /// nil: the request is not finished.
    init?(row: Row) throws {
        let table = "forget_requests"
        guard let packed = try row.packedBytes("certificate", in: table, of: Self.name(row)) else {
            guard let certificate: Certificate = try row.optionalJSON("certificate", in: table) else { return nil }
            self.init(outcome: try row.json("outcome", in: table), certificate: certificate)
            return
        }
        guard let closed = ClosedRequest(text: packed) else {
            throw LedgerError.corrupt(
                table: table, column: "certificate", reason: "of \(try Self.name(row)) is no certificate")
        }
        self = closed
    }
}

extension ClosedRequest {
    /// How requests are named in errors.
    private static func name(_ row: Row) throws -> String {
        "request \(try row.value("id", in: "forget_requests") as String)"
    }

    /// nil: no such text.
    private init?(text: Data) {
        let lines = text.split(separator: UInt8(ascii: "\n"), maxSplits: 2, omittingEmptySubsequences: false)
        guard lines.count == 3, let outcome = try? JSONDecoder().decode(ForgetOutcome.self, from: lines[0]),
            let publicKey = Data(base64Encoded: lines[1]), let jws = SignedStatement(lines: lines[2]),
            let certificate = try? Certificate(jws: jws, publicKey: publicKey)
        else { return nil }
        self.init(outcome: outcome, certificate: certificate)
    }

    private var text: Data? {
        get throws {
            guard let lines = certificate.jws.lines else { return nil }
            let first = [try JSONEncoder.stable.encode(outcome), certificate.publicKey.base64EncodedData(), lines]
            return Data(first.joined(separator: [UInt8(ascii: "\n")]))
        }
    }

    /// Writes it into the request's row.
    func store(inRequest number: Int64, _ db: Database) throws {
        if let packed = try text.flatMap(PackedText.pack) {
            try db.execute(
                sql: "UPDATE forget_requests SET outcome = '', certificate = ? WHERE number = ?",
                arguments: [packed, number])
        } else {
            try db.execute(
                sql: "UPDATE forget_requests SET outcome = ?, certificate = ? WHERE number = ?",
                arguments: [
                    try JSONEncoder.stable.text(outcome), try JSONEncoder.stable.text(certificate), number,
                ])
        }
    }
}

extension SignedStatement {
    /// Header, signature and payload, a line each; the payload may have several. nil: the header has.
    var lines: Data? {
        let lineFeed = UInt8(ascii: "\n")
        guard !header.contains(lineFeed) else { return nil }
        return Data([header, Data(signature.base64URL.utf8), payload].joined(separator: [lineFeed]))
    }

    /// nil: not of that form.
    init?(lines: Data) {
        let parts = lines.split(separator: UInt8(ascii: "\n"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let signature = Data(base64URL: String(decoding: parts[1], as: UTF8.self)) else {
            return nil
        }
        self.init(header: Data(parts[0]), payload: Data(parts[2]), signature: signature)
    }
}
