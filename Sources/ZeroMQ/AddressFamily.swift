import CZeroMQ
import Foundation

/// Which addresses libzmq is to take an endpoint for. With `ZMQ_IPV6` it takes the first that a name has as IPv6: of a name that
/// has both that would be one where a coordinator on an IPv4 address does not listen.
extension Endpoint {
    /// Names are resolved for this, which may take as long as the resolver does.
    var needsIPv6: Bool {
        guard case .tcp(let host, _) = place else { return false }
        return switch host {
        case .any, .ipv4: false
        case .ipv6: true
        case .name(let name): Self.resolution(of: name, AF_INET) != 0 && Self.resolution(of: name, AF_INET6) == 0
        }
    }

    /// Why the host's name leads nowhere, and whether that is certain or only so at the moment.
    public struct Unresolved: Hashable, Sendable {
        public var reason: String
        public var isCertain: Bool
    }

    /// nil: it leads somewhere, or is no name. Names are resolved for this.
    public var unresolved: Unresolved? {
        guard case .tcp(.name(let name), _) = place else { return nil }
        let code = Self.resolution(of: name, AF_UNSPEC)
        guard code != 0 else { return nil }
        return Unresolved(
            reason: "the name \(name) leads to no address (\(String(cString: gai_strerror(code))))",
            isCertain: code == EAI_NONAME)
    }

    /// `getaddrinfo`'s number; 0: there is an address.
    private static func resolution(of name: String, _ family: Int32) -> Int32 {
        var hints = addrinfo()
        hints.ai_family = family
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        defer { if let found { freeaddrinfo(found) } }
        return getaddrinfo(name, nil, &hints, &found)
    }
}

/// A peer's address as its owner writes it: an IPv4 one that came over an IPv6 socket is still an IPv4 one.
func plainAddress(_ address: String) -> String {
    let prefix = "::ffff:"
    guard address.lowercased().hasPrefix(prefix), address.contains(".") else { return address }
    return String(address.dropFirst(prefix.count))
}
