import CZeroMQ
import Foundation

/// Waits until something can be read from one of several sockets and descriptors.
public struct Poller {
    public enum Source {
        case socket(Socket)
        /// A file descriptor, such as a mailbox's.
        case descriptor(Int32)
    }

    private let sources: [Source]

    public init(_ sources: [Source]) {
        self.sources = sources
    }

    /// Waits for input, or for the timeout, or for a signal.
    ///
    /// - Parameter timeout: nil waits without end.
    /// - Returns: for every source, in order, whether it can be read.
    public func wait(timeout: Duration?) throws(ZeroMQError) -> [Bool] {
        var items = sources.map { source in
            switch source {
            case .socket(let socket):
                zmq_pollitem_t(socket: socket.handle, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0)
            case .descriptor(let descriptor):
                zmq_pollitem_t(socket: nil, fd: descriptor, events: Int16(ZMQ_POLLIN), revents: 0)
            }
        }
        let limit = timeout.map { Int(milliseconds($0)) } ?? -1
        if zmq_poll(&items, Int32(items.count), limit) < 0 {
            let error = ZeroMQError.last("zmq_poll")
            guard error == .interrupted else { throw error }
            return sources.map { _ in false }
        }
        return items.map { $0.revents & Int16(ZMQ_POLLIN) != 0 }
    }
}
