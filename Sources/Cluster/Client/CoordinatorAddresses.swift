import Messages
import ZeroMQ

/// Where a coordinator may be: tried in turn, from the one that answered last on.
///
/// A cluster has one coordinator. Several addresses are for one that moves: requests have ids that the ledger knows, and whoever
/// has seen the newer coordinator believes no older one (`GenerationMemory`).
struct CoordinatorAddresses {
    private let endpoints: [String]
    private var position = 0
    /// Whether something came from the present one.
    private(set) var isHeard = false

    /// - Throws: `ClientError` (`invalid-request`) without any.
    init(_ endpoints: [String]) throws(ClientError) {
        guard !endpoints.isEmpty else {
            throw ClientError(code: .invalidRequest, message: "a coordinator's address is needed")
        }
        self.endpoints = endpoints
    }

    var count: Int { endpoints.count }
    var present: String { endpoints[position] }
    var text: String { endpoints.joined(separator: ", ") }

    mutating func heard() { isHeard = true }

    /// What answers there is not the one that is looked for: the next one's turn is next.
    mutating func passOver() { isHeard = false }

    /// The next one's turn; who was heard is tried once more.
    mutating func turn() {
        if isHeard {
            isHeard = false
        } else {
            position = (position + 1) % endpoints.count
        }
    }

    /// Why none of their names leads anywhere; nil: one does, or is no name. Names are resolved for this.
    var unresolved: Endpoint.Unresolved? {
        var first: Endpoint.Unresolved?
        for endpoint in endpoints {
            guard let unresolved = try? Endpoint(endpoint, for: .connecting).unresolved else { return nil }
            if first == nil || !unresolved.isCertain { first = unresolved }
        }
        return first
    }
}
