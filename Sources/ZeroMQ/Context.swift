import CZeroMQ
import Foundation

/// The I/O threads and in-process endpoints that sockets share. May be used from any thread.
///
/// Sockets keep their context alive; it is terminated when the last of them is closed.
public final class Context: @unchecked Sendable {
    let handle: UnsafeMutableRawPointer

    public init() throws(ZeroMQError) {
        Self.seed
        guard let handle = zmq_ctx_new() else { throw .last("zmq_ctx_new") }
        self.handle = handle
    }

    /// libzmq numbers the peers of a ROUTER socket from a number that it draws from `rand`, which it never seeds: the numbers
    /// would be the same in every process, and a peer that has claimed one as its own identity makes libzmq abort the process
    /// as soon as it comes to that number.
    private static let seed: Void = srand(UInt32.random(in: .min ... .max))

    /// Makes every call on the context's sockets fail with `contextTerminated`, also those that wait.
    public func shutdown() {
        zmq_ctx_shutdown(handle)
    }

    deinit {
        while zmq_ctx_term(handle) != 0, ZeroMQError.last("zmq_ctx_term") == .interrupted {}
    }
}
