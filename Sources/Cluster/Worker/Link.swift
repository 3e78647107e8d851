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
        /// The coordinator broke the rules of messages in portions. What is connected again later is a connection like others.
        case broken(WireError)
        /// More waits than may; the message is not sent.
        case full
        /// The coordinator is there and refused this worker's key: nothing comes over this connection.
        case refused
        /// The coordinator that is there has another key by now, or came after the connection was begun: with that it will come
        /// about.
        case outdated
    }

    private enum Command: Sendable {
        /// A fresh socket; what came over the one before is gone.
        case connect(String, number: UInt64)
        case send(Parcel, number: UInt64)
        case takeBack(Parcel.Subject)
        case beat(every: Duration)
        case quit
    }

    private let options: @Sendable (_ endpoint: String) -> SocketOptions
    private let commands: Mailbox<Command>
    private let events: Mailbox<(number: UInt64, Event)>
    private let ended: Mailbox<Void>
    private let number = Atomic<UInt64>(0)
    private let reached = Locked(ConnectionAttempt.none)
    /// When something last came, a whole message or some of its bytes, in milliseconds of the clock.
    private let heard = Atomic<Int64>(-1)
    private let now: @Sendable () -> Double

    /// Readable while something has come.
    var descriptor: Int32 { events.descriptor }

    /// - Parameters:
    ///   - options: asked for every connection.
    ///   - now: seconds of a monotonic clock.
    init(
        options: @escaping @Sendable (_ endpoint: String) -> SocketOptions, now: @escaping @Sendable () -> Double
    ) throws(ZeroMQError) {
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

    func connect(to endpoint: String) {
        let next = number.load(ordering: .relaxed) + 1
        number.store(next, ordering: .relaxed)
        commands.post(.connect(endpoint, number: next))
    }

    func send(_ parcel: Parcel) { commands.post(.send(parcel, number: number.load(ordering: .relaxed))) }

    /// What waits to be sent about this is not wanted any more.
    func takeBack(_ subject: Parcel.Subject) { commands.post(.takeBack(subject)) }

    func beat(every seconds: Double) { commands.post(.beat(every: .seconds(seconds))) }

    /// What came over the present connection.
    func drain() -> [Event] {
        let present = number.load(ordering: .relaxed)
        return events.drain().filter { $0.number == present }.map(\.1)
    }

    /// How far the last connection has come.
    var attempt: ConnectionAttempt { reached.withLock { $0 } }

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

    private func serve(_ context: Context) throws {
        var connection: LinkConnection?
        var period: Duration?
        while true {
            for command in commands.drain() {
                switch command {
                case .connect(let endpoint, let number):
                    (connection, period) = (nil, nil)
                    connection = try LinkConnection(
                        context, to: endpoint, options: options(endpoint), number: number, now: now
                    ) { [self] in post(.undelivered($0)) }
                case .send(let parcel, let number):
                    guard let connection, number == connection.number else { continue }
                    do throws(OutgoingPortions.Full) { try connection.send(parcel) } catch { post(.full) }
                case .takeBack(let subject): connection?.takeBack(subject)
                case .beat(let every): period = every
                case .quit: return
                }
            }
            if let period { connection?.beat(every: period) }
            do {
                if let connection { try receive(connection) }
            } catch let error as WireError {
                // The silence that follows ends the connection for the worker's loop.
                post(.broken(error))
                connection = nil
            }
            if connection?.hasMoreBytes() == true { hear() }
            if let connection { look(at: connection) }
            var sources: [Poller.Source] = [.descriptor(commands.descriptor)]
            var wait = Duration.seconds(1)
            if let connection {
                sources += [.socket(connection.socket), connection.socket.attempts].compactMap(\.self)
                // Bytes are looked at several times in a period; they wake nobody.
                if let period { wait = max(.milliseconds(1), min(period / 4, connection.untilBeat(every: period))) }
            }
            _ = try Poller(sources).wait(timeout: wait)
        }
    }

    private func look(at connection: LinkConnection) {
        let attempt = connection.socket.attempt
        let isNew = reached.withLock { reached in
            defer { reached = attempt }
            return reached != attempt
        }
        if isNew, attempt == .refused { events.post((connection.number, .refused)) }
        if attempt == .failed, !connection.isOutdated,
            options(connection.endpoint).expectedServer != connection.socket.expectedServer
        {
            connection.isOutdated = true
            events.post((connection.number, .outdated))
        }
    }

    private func receive(_ connection: LinkConnection) throws {
        // Bounded, so that a flood of messages cannot hold up heartbeats.
        for _ in 0..<64 {
            let received: [[UInt8]]?
            do throws(ZeroMQError) {
                received = try connection.socket.receive(
                    maximumFrames: WireLimits.frames, maximumBytes: WireLimits.workerMessage)
            } catch .messageTooLarge {
                hear()
                events.post((connection.number, .dropped))
                continue
            }
            guard let received else { return }
            hear()
            if let whole = try connection.take(received) { events.post((connection.number, .received(whole))) }
        }
    }
}
