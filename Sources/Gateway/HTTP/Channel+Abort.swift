import NIOCore
import NIOSSL

extension Channel {
    /// Closes the connection at once, without the farewell of TLS, for which a peer that says nothing is waited for during seconds in
    /// which the connection keeps its descriptor. On its loop.
    func abort() {
        guard let encryption = try? pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self) else {
            return close(promise: nil)
        }
        // From there on outwards.
        encryption.close(promise: nil)
    }
}
