import Unlearning

/// How a forget request is carried out.
package struct ForgetMethod: Hashable {
    package var method: ClusterConfiguration.Method
    /// What serves until the exact adapter is there.
    package var bridge: ApproximateProvenance.Method?

    /// What an affected shard is corrected by, if it is.
    package var correction: ApproximateProvenance.Method? { bridge ?? method.approximate }

    /// - Throws: `LedgerError.invalidRequest`.
    package init(_ request: ClientRequest.ForgetRequest, default standard: ClusterConfiguration.Method)
        throws(LedgerError)
    {
        var method = request.bridge == nil ? standard : .apa
        if let name = request.method {
            guard let known = ClusterConfiguration.Method(rawValue: name) else {
                throw .invalidRequest(
                    reason: "no forget method \(name.clipped): there are "
                        + ClusterConfiguration.Method.allCases.map(\.rawValue).joined(separator: ", "))
            }
            method = known
        }
        self.method = method
        guard let name = request.bridge else { return }
        guard let bridge = ApproximateProvenance.Method(rawValue: name) else {
            throw .invalidRequest(
                reason: "nothing can bridge by \(name.clipped): there are "
                    + ApproximateProvenance.Method.allCases.map(\.rawValue).joined(separator: ", "))
        }
        guard method == .apa else {
            throw .invalidRequest(reason: "a bridge leads to exact adapters: it goes with the method apa only")
        }
        self.bridge = bridge
    }
}
