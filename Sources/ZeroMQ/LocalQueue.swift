import Foundation

/// What waits in the kernel for the peer of a local (AF_UNIX) connection.
///
/// The kernel counts no bytes of such a connection but those that lie in its queue. When that is found empty, the peer has
/// read what was given to libzmq a while before: libzmq hands on what it has as long as there is room.
struct LocalQueue {
    /// In bytes, with what the kernel adds.
    var waiting: Int

    /// nil for anything but a local connection.
    init?(of descriptor: Int32) {
        var domain: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0, domain == AF_UNIX else { return nil }
        var bytes: Int32 = 0
        guard ioctl(descriptor, UInt(TIOCOUTQ), &bytes) == 0 else { return nil }
        waiting = Int(max(0, bytes))
    }
}
