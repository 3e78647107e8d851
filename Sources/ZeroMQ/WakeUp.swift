import CZeroMQ
import Foundation

/// An eventfd: lets any thread, or a signal handler, wake one that waits in a `Poller`.
public final class WakeUp: Sendable {
    /// For `Poller.Source.descriptor`; readable from `signal` until `reset`.
    public let descriptor: Int32

    public init() throws(ZeroMQError) {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard descriptor >= 0 else {
            throw .failed(operation: "eventfd", code: errno, reason: String(cString: strerror(errno)))
        }
    }

    deinit {
        close(descriptor)
    }

    /// Takes no lock and allocates nothing, so that a signal handler may call it.
    public func signal() {
        eventfd_write(descriptor, 1)
    }

    public func reset() {
        var count: eventfd_t = 0
        eventfd_read(descriptor, &count)
    }

    /// Waits for `signal`, without resetting it.
    public func wait(timeout: Duration?) {
        var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&item, 1, timeout.map(milliseconds) ?? -1) < 0, errno == EINTR, timeout == nil {}
    }
}
