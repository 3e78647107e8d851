import Foundation
import PeerTestSupport
import Testing
import ZeroMQ

@Suite("A try to connect that nothing answers", .serialized)
struct ConnectTimeoutTests {
    /// A port that takes no connection and refuses none, as an address that nobody has any more: its queue is full.
    private final class SilentPort {
        let port: UInt16
        private var descriptors: [Int32] = []

        init() throws {
            let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            descriptors.append(listener)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            var one: Int32 = 1
            setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
            let isListening = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.bind(listener, $0, size) == 0 && listen(listener, 0) == 0
                        && getsockname(listener, $0, &size) == 0
                }
            }
            try #require(isListening)
            port = UInt16(bigEndian: address.sin_port)
            for _ in 0..<4 {
                let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
                descriptors.append(client)
                _ = fcntl(client, F_SETFL, O_NONBLOCK)
                _ = withUnsafePointer(to: &address) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(client, $0, size) }
                }
            }
        }

        func close() {
            for descriptor in descriptors.reversed() { Glibc.close(descriptor) }
            descriptors = []
        }

        deinit { close() }
    }

    @Test("is given up after the bound and made anew, so that a server is found soon after it is there")
    func bound() throws {
        let silent = try SilentPort()
        var options = SocketOptions()
        options.connectTimeout = .milliseconds(300)
        let dealer = try Socket(Context(), .dealer, options: options)
        try dealer.measure()
        let endpoint = "tcp://127.0.0.1:\(silent.port)"
        try dealer.connect(endpoint)
        try dealer.send([[1]])
        // The system asks again after 1, 3 and 7 s; in between it would find nobody.
        Thread.sleep(forTimeInterval: 3.4)
        #expect(dealer.attempt == .none)
        silent.close()
        let router = try Socket(Context(), .router)
        try router.bind(endpoint)
        let start = ContinuousClock.now
        var message: [[UInt8]]?
        while message == nil, ContinuousClock.now - start < .seconds(20) {
            _ = try Poller([.socket(router)]).wait(timeout: .milliseconds(100))
            message = try router.receive()
        }
        #expect(message?.last == [1])
        #expect(ContinuousClock.now - start < .seconds(2.5), "\(ContinuousClock.now - start)")
    }

    @Test("is bounded for everybody by a few seconds")
    func standard() {
        let bound = SocketOptions().connectTimeout
        #expect(bound >= .seconds(3) && bound <= .seconds(10))
    }
}
