import Foundation
import Messages
import Synchronization
import ZeroMQ

/// The worker's end of its connection, on a thread of its own: frames come and go, and heartbeats go out, whatever the
/// other threads compute, read or write. It decides nothing.
final class Link: Sendable {
    enum Event: Sendable {
        case received([[UInt8]])
        case dropped
        case undelivered(ZeroMQError)
        case failed(ZeroMQError)
    }

    private enum Command: Sendable {
        /// A fresh socket; what came over the one before is gone.
        case connect(number: UInt64)
        case send([[UInt8]], number: UInt64)
        case beat(every: Duration)
        case quit
    }

    private let endpoint: String
    private let options: SocketOptions
    private let commands: Mailbox<Command>
    private let events: Mailbox<(number: UInt64, Event)>
    private let ended: Mailbox<Void>
    private let number = Atomic<UInt64>(0)
    /// When something last came, a whole message or some of its bytes, in milliseconds of the clock.
    private let heard = Atomic<Int64>(-1)
    private let now: @Sendable () -> Double

    /// Readable while something has come.
    var descriptor: Int32 { events.descriptor }

    /// - Parameter now: seconds of a monotonic clock.
    init(to endpoint: String, options: SocketOptions, now: @escaping @Sendable () -> Double) throws(ZeroMQError) {
        self.endpoint = endpoint
        self.options = options
        self.now = now
        commands = try Mailbox()
        events = try Mailbox()
        ended = try Mailbox()
        let thread = Thread { [self] in
            do {
                try serve(try Context())
            } catch let error as ZeroMQError {
                post(.failed(error))
            } catch {}
            ended.post(())
        }
        thread.name = "link"
        thread.start()
    }

    // MARK: from the worker's loop

    func connect() {
        let next = number.load(ordering: .relaxed) + 1
        number.store(next, ordering: .relaxed)
        commands.post(.connect(number: next))
    }

    func send(_ frames: [[UInt8]]) { commands.post(.send(frames, number: number.load(ordering: .relaxed))) }

    func beat(every seconds: Double) { commands.post(.beat(every: .seconds(seconds))) }

    /// What came over the present connection.
    func drain() -> [Event] {
        let present = number.load(ordering: .relaxed)
        return events.drain().filter { $0.number == present }.map(\.1)
    }

    /// When something last came over any connection, in seconds of the clock; nil: never.
    var lastHeard: Double? {
        let milliseconds = heard.load(ordering: .relaxed)
        return milliseconds < 0 ? nil : Double(milliseconds) / 1000
    }

    /// Ends the thread after what is to be sent was handed over.
    func quit(within timeout: Duration) {
        commands.post(.quit)
        _ = ended.take(timeout: timeout)
    }

    // MARK: the thread

    private func post(_ event: Event) { events.post((number.load(ordering: .relaxed), event)) }

    private func hear() { heard.store(Int64(now() * 1000), ordering: .relaxed) }

    private func serve(_ context: Context) throws(ZeroMQError) {
        let clock = ContinuousClock()
        var socket: Socket?
        var (bytes, current): (UInt64, UInt64) = (0, 0)
        var period: Duration?
        var lastSent = clock.now
        let heartbeat = (try? WorkerMessage.heartbeat.frames()) ?? []
        func send(_ frames: [[UInt8]]) {
            do throws(ZeroMQError) {
                try socket?.send(frames)
                lastSent = clock.now
            } catch {
                // A full queue: nothing gets through, and the silence ends the connection.
                post(.undelivered(error))
            }
        }
        while true {
            for command in commands.drain() {
                switch command {
                case .connect(let number):
                    (socket, period) = (nil, nil)
                    let fresh = try Socket(context, .dealer, options: options)
                    try fresh.measure()
                    try fresh.connect(endpoint)
                    (socket, bytes, current) = (fresh, 0, number)
                case .send(let frames, let number): if number == current { send(frames) }
                case .beat(let every): period = every
                case .quit: return
                }
            }
            if let period, clock.now - lastSent >= period { send(heartbeat) }
            if let socket { try receive(socket, number: current) }
            if let received = socket?.receivedBytes, received > bytes {
                bytes = received
                hear()
            }
            var sources: [Poller.Source] = [.descriptor(commands.descriptor)]
            if let socket { sources.append(.socket(socket)) }
            // Bytes are looked at several times in a period; they wake nobody.
            let wait = period.map { max(.milliseconds(1), min($0 / 4, lastSent + $0 - clock.now)) } ?? .seconds(1)
            _ = try Poller(sources).wait(timeout: wait)
        }
    }

    private func receive(_ socket: Socket, number: UInt64) throws(ZeroMQError) {
        // Bounded, so that a flood of messages cannot hold up heartbeats.
        for _ in 0..<64 {
            do throws(ZeroMQError) {
                let received = try socket.receive(
                    maximumFrames: WireLimits.frames, maximumBytes: WireLimits.workerMessage)
                guard let received else { return }
                hear()
                events.post((number, .received(received)))
            } catch .messageTooLarge {
                hear()
                events.post((number, .dropped))
            }
        }
    }
}
