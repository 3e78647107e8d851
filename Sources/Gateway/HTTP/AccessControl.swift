import Foundation
import HTTPTypes
import Hummingbird
import Logging
import ZeroMQ

/// Who may ask for what. The token file is read again when the operator says so.
final class AccessControl: Sendable {
    private let path: String?
    private let tokens: Locked<TokenFile?>
    /// nil: there are tokens.
    private let door: LoopbackDoor?
    private let logger: Logger

    /// - Parameters:
    ///   - path: of the token file; nil: whoever is let in at the `door` may ask for everything, so the gateway must listen on
    ///     loopback only.
    ///   - door: whom a gateway without tokens answers.
    /// - Throws: `GatewayError.tokens`; `.unprotected` where nobody could be told from anybody.
    init(path: String?, door: LoopbackDoor.Rule, logger: Logger) throws(GatewayError) {
        self.path = path
        self.door = path == nil ? try LoopbackDoor(door, logger: logger) : nil
        self.logger = logger
        tokens = Locked(nil)
        if let path {
            let file = try Self.read(path)
            tokens.withLock { $0 = file }
        }
    }

    /// A file that cannot be read leaves the tokens as they are.
    func reload() {
        guard let path else { return }
        do {
            let file = try Self.read(path)
            tokens.withLock { $0 = file }
            logger.info("tokens were read again", metadata: ["entries": "\(file.entries.count)"])
        } catch {
            logger.error("tokens stay as they are: \(error)")
        }
    }

    private static func read(_ path: String) throws(GatewayError) -> TokenFile {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw .tokens("\(path) cannot be read")
        }
        do {
            return try TokenFile(parsing: text)
        } catch {
            throw .tokens("\(path), \(error)")
        }
    }

    /// Why nothing at all is answered over this connection; nil: it is.
    func refusal(of connection: ClientConnection?, _ ends: SocketEnds?) -> Problem? {
        door?.refusal(of: connection, ends)
    }

    /// - Returns: who asks; nil: nobody needs to say so.
    /// - Throws: `Problem` 401, 403, or 421 where a page of somebody else's asks a gateway without tokens.
    func admit(_ request: Request, to route: Route) throws(Problem) -> Identity? {
        guard path != nil else {
            guard Self.isLocal(host: request.head.authority), !Self.wasForwarded(request) else { throw .foreignHost }
            return nil
        }
        guard case .roles(let wanted) = route.access else { return nil }
        guard let token = Self.bearer(request.headers[.authorization]),
            let identity = tokens.withLock({ $0 })?.identity(of: token)
        else { throw .unauthenticated }
        guard identity.has(oneOf: wanted) else { throw .forbidden(wanted) }
        return identity
    }

    /// Whether `admit` would let it in now.
    func isAdmitted(_ request: Request, to route: Route) -> Bool {
        do {
            _ = try admit(request, to: route)
            return true
        } catch {
            return false
        }
    }

    private static let marks = ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"].compactMap { HTTPField.Name($0) }

    /// Whether a proxy or a page of another site passed it on: then loopback says nothing of who asks.
    private static func wasForwarded(_ request: Request) -> Bool {
        marks.contains { request.headers[$0] != nil }
            || HTTPField.Name("Sec-Fetch-Site").map { request.headers[$0] == "cross-site" } ?? false
    }

    private static func bearer(_ value: String?) -> String? {
        guard let value, value.lowercased().hasPrefix("bearer ") else { return nil }
        return value.dropFirst("bearer ".count).trimmingCharacters(in: .whitespaces)
    }

    /// Whether the host that the client named is this machine: a name of somebody else's that leads here (DNS rebinding) is not.
    static func isLocal(host: String?) -> Bool {
        guard var host = host?.lowercased(), !host.isEmpty else { return true }
        if host.hasPrefix("[") {
            host = String(host.dropFirst().prefix { $0 != "]" })
        } else {
            host = String(host.prefix { $0 != ":" })
        }
        return host == "localhost" || ListenAddress.isLoopback(host)
    }
}

extension LoopbackDoor {
    /// Why nothing is answered over this connection, which remembers whose it is; nil: it is.
    func refusal(of connection: ClientConnection?, _ ends: SocketEnds?) -> Problem? {
        switch connection?.admission({ admission(of: ends) }) ?? admission(of: ends) {
        case .admitted: nil
        case .another: .anotherUser
        case .unknown: .unknownUser
        }
    }
}
