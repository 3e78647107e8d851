import Logging
import Messages
import Testing
import ZeroMQ

@testable import Gateway

@Suite("What a gateway's log says of a coordinator that is away")
struct CoordinatorOutageTests {
    /// Levels and messages.
    private struct Lines: LogHandler {
        let kept: Locked<[String]>
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            kept.withLock { $0.append("\(event.level) \(event.message)") }
        }
    }

    /// Fails with the code, or answers.
    private struct Connection: CoordinatorConnection {
        let code: Locked<ErrorCode?>

        func exchange(_ asking: CoordinatorDoor.Asking, isWanted: @escaping () -> Bool) throws
            -> CoordinatorDoor.Answers
        {
            if let code = code.withLock({ $0 }) { throw ClientError(code: code, message: "no answer from there") }
            return [.failure(ClientError(code: .unknownUser, message: "a word of the coordinator's own"))]
        }
    }

    @Test func `Whoever asked before it answered others, and gives up later, says nothing`() {
        let kept = Locked<[String]>([])
        let outage = CoordinatorOutage(logger: Logger(label: "test") { _ in Lines(kept: kept) }, pause: .seconds(60))
        let before = ContinuousClock.now
        outage.found("away", begun: before)
        outage.heard()
        outage.found("no answer", begun: before)
        // Nor does a connection that has not found it yet.
        outage.found("no answer", begun: .now)
        #expect(kept.withLock { $0 } == ["warning away", "info the coordinator answers again"])
        outage.found("away again", begun: .now + .seconds(61))
        #expect(kept.withLock { $0 }.count == 3)
    }

    @Test func `One line when it begins and one when it ends, over all connections and requests`() throws {
        let kept = Locked<[String]>([])
        let outage = CoordinatorOutage(logger: Logger(label: "test") { _ in Lines(kept: kept) }, pause: .zero)
        let code = Locked<ErrorCode?>(nil)
        let connections = (0..<3).map { _ in WatchedConnection(Connection(code: code), outage: outage) }
        func askAll(_ now: ErrorCode?) {
            code.withLock { $0 = now }
            for connection in connections {
                _ = try? connection.exchange(.init([.status], deadline: .seconds(1))) { true }
            }
        }
        askAll(nil)
        #expect(kept.withLock { $0 }.isEmpty)
        askAll(.unreachable)
        outage.found("nothing takes a connection")
        #expect(kept.withLock { $0 } == ["warning no answer from there"])
        // Nobody waits any more: that says nothing of the coordinator.
        askAll(.cancelled)
        #expect(kept.withLock { $0 }.count == 1)
        askAll(nil)
        askAll(.unreachable)
        #expect(
            kept.withLock { $0 } == [
                "warning no answer from there", "info the coordinator answers again", "warning no answer from there",
            ])
    }

    @Test func `What went wrong still reaches whoever asked`() {
        let outage = CoordinatorOutage(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let connection = WatchedConnection(Connection(code: Locked(.unreachable)), outage: outage)
        #expect(throws: ClientError(code: .unreachable, message: "no answer from there")) {
            try connection.exchange(.init([.status], deadline: .seconds(1))) { true }
        }
    }
}
