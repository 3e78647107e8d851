import Unlearning

/// How a forget request is carried out.
package struct ForgetProcedure: Hashable {
    package var method: ForgetMethod
    /// What serves until the exact adapter is there.
    package var bridge: ApproximateMethod?

    /// What an affected shard is corrected by, if it is.
    package var correction: ApproximateMethod? { bridge ?? method.approximate }

    /// - Throws: `LedgerError.invalidRequest`.
    package init(_ request: ClientRequest.ForgetRequest, default standard: ForgetMethod)
        throws(LedgerError)
    {
        var method = request.bridge == nil ? standard : .apa
        if let name = request.method {
            guard let known = ForgetMethod(rawValue: name) else {
                throw .invalidRequest(
                    reason: "no forget method \(name.clipped): there are "
                        + ForgetMethod.allCases.map(\.rawValue).joined(separator: ", "))
            }
            method = known
        }
        self.method = method
        guard let name = request.bridge else { return }
        guard let bridge = ApproximateMethod(rawValue: name) else {
            throw .invalidRequest(
                reason: "nothing can bridge by \(name.clipped): there are "
                    + ApproximateMethod.allCases.map(\.rawValue).joined(separator: ", "))
        }
        guard method == .apa else {
            throw .invalidRequest(reason: "a bridge leads to exact adapters: it goes with the method apa only")
        }
        self.bridge = bridge
    }
}
