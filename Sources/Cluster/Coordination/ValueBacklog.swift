/// Rows the ledger misses of one kind, and what is known of which.
struct ValueBacklog: Sendable {
    enum Phase: Sendable {
        /// Nothing is known of which.
        case unknown
        /// The ledger was asked which are missing.
        case loading
        /// Digests to give out.
        case listed([String])
    }

    var phase = Phase.unknown

    var isLoading: Bool {
        if case .loading = phase { true } else { false }
    }

    /// Digests to give out.
    var pending: [String] {
        get {
            if case .listed(let digests) = phase { digests } else { [] }
        }
        set { phase = newValue.isEmpty ? .unknown : .listed(newValue) }
    }
}
