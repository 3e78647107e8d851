import Messages

/// How a gateway listens, whom it lets in and what it bounds.
public struct GatewayOptions: Sendable {
    public var listen: ListenAddress
    /// PEM files.
    public var certificate: (chain: String, key: String)?
    /// nil: nobody needs a token.
    public var tokens: String?
    /// Without tokens: every user of this machine is answered, not only this process's own and root.
    public var opensLoopback = false
    /// Something before the gateway encrypts.
    public var isBehindProxy = false
    /// Days after its receipt at which a forget request is due.
    public var dueDays = DueRequest.days
    /// How long the gateway says that it is not ready before it stops listening.
    public var drain = Duration.zero
    public var limits = GatewayLimits()

    public typealias Model = AnsweringModel

    public init(listen: ListenAddress) {
        self.listen = listen
    }

    /// - Throws: `GatewayError.address` where a certificate belongs to it and none is given, or the other way round;
    ///   `.unprotected`: beyond loopback what goes by is encrypted, and whoever asks shows a token.
    public func check() throws(GatewayError) {
        guard listen.isEncrypted == (certificate != nil) else {
            throw .address(
                listen.isEncrypted
                    ? "https:// needs --tls-cert and --tls-key"
                    : "with --tls-cert the gateway listens at https://\(listen.host):\(listen.port)")
        }
        if isBehindProxy, tokens == nil {
            throw .unprotected("--behind-proxy needs --tokens: whatever comes through the proxy comes from anywhere")
        }
        guard !opensLoopback || tokens == nil else {
            throw .unprotected("--open-loopback is for a gateway without --tokens: with them everybody shows one")
        }
        guard !listen.isLoopback else { return }
        guard listen.isEncrypted || isBehindProxy else {
            throw .unprotected(
                "beyond loopback the gateway needs --tls-cert and --tls-key, or --behind-proxy where a proxy encrypts")
        }
        guard tokens != nil else {
            throw .unprotected("beyond loopback the gateway needs --tokens (lethe gateway token makes some)")
        }
    }
}
