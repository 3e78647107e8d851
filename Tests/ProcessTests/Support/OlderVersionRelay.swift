import Foundation
import Messages
import ZeroMQ

/// Between a coordinator and processes of this release, of which it makes peers that speak the version of the protocol before:
/// the version's byte, inside of portions too, and what a hello says. What comes back in any other version is counted.
final class OlderVersionRelay: @unchecked Sendable {
    static let older = ProtocolVersions.oldest

    let endpoint: String
    private let lock = NSLock()
    private var isEnding = false
    private var translated = 0
    private var others = 0
    private var portions = 0

    init(to coordinator: String) throws {
        let context = try Context()
        // Of the thread alone, once it is bound.
        nonisolated(unsafe) let front = try Socket(context, .router, options: SocketOptions())
        endpoint = try front.bind("tcp://127.0.0.1:*")
        let thread = Thread { [self] in
            var peers: [(identity: [UInt8], back: Socket)] = []
            while !locked({ isEnding }) {
                do {
                    _ = try Poller([.socket(front)] + peers.map { .socket($0.back) }).wait(timeout: .milliseconds(50))
                    while let frames = try front.receive() {
                        if !peers.contains(where: { $0.identity == frames[0] }) {
                            let back = try Socket(context, .dealer, options: SocketOptions())
                            try back.connect(coordinator)
                            peers.append((frames[0], back))
                        }
                        try peers.first { $0.identity == frames[0] }?.back.send(Self.older(Array(frames.dropFirst())))
                    }
                    for (identity, back) in peers {
                        // Whoever is gone hears nothing.
                        while let frames = try back.receive() { try? front.send([identity] + newer(frames)) }
                    }
                } catch {
                    return
                }
            }
        }
        thread.start()
    }

    deinit { end() }

    func end() { locked { isEnding = true } }

    /// Messages that came in the older version, those in any other, and how many of them were portions.
    var counts: (translated: Int, others: Int, portions: Int) { locked { (translated, others, portions) } }

    private func locked<Value>(_ body: () -> Value) -> Value {
        lock.lock()
        defer { lock.unlock() }
        return body()
    }

    /// Where the version of the message stands that begins with this portion; nil: it is no such portion.
    private static func inner(_ frames: [[UInt8]]) -> Int? {
        guard frames.count > 5, frames[2] == Array("portion".utf8),
            String(decoding: frames[4], as: UTF8.self).contains("\"offset\":0,")
        else { return nil }
        return 5
    }

    private static func older(_ frames: [[UInt8]]) -> [[UInt8]] {
        var frames = frames
        frames[1] = [older]
        if let inner = inner(frames) { frames[inner] = [older] }
        if frames[2] == Array("hello".utf8) {
            let said = String(decoding: frames[4], as: UTF8.self)
            frames[4] = Array(
                said.replacingOccurrences(
                    of: "\"protocolVersion\":\(WireLimits.version)", with: "\"protocolVersion\":\(older)"
                ).utf8)
        }
        return frames
    }

    private func newer(_ frames: [[UInt8]]) -> [[UInt8]] {
        var frames = frames
        let inner = Self.inner(frames)
        let isOlder = frames[1] == [Self.older] && inner.map { frames[$0] == [Self.older] } ?? true
        locked {
            translated += isOlder ? 1 : 0
            others += isOlder ? 0 : 1
            portions += frames[2] == Array("portion".utf8) ? 1 : 0
        }
        frames[1] = [WireLimits.version]
        if let inner { frames[inner] = [WireLimits.version] }
        return frames
    }
}
