import Client
import Logging
import Messages
import ZeroMQ

/// Whether the coordinator is away: told once when that begins and once when it ends, however many connections and requests find
/// it out.
final class CoordinatorOutage: Sendable {
    private struct State {
        var isOn = false
        /// When the coordinator last answered.
        var heard: ContinuousClock.Instant?
    }

    private let state = Locked(State())
    private let logger: Logger
    private let pause: Duration

    /// - Parameter pause: after an answer. Of the connections of one gateway some find a coordinator that has come back seconds after
    ///   others.
    init(logger: Logger, pause: Duration = .seconds(15)) {
        self.logger = logger
        self.pause = pause
    }

    /// - Parameters:
    ///   - reason: addresses and causes, never content.
    ///   - begun: when it was asked for: who began before it answered others, and gives up later, has nothing new to say.
    func found(_ reason: String, begun: ContinuousClock.Instant = .now) {
        let isNew = state.withLock { state in
            if let heard = state.heard, begun <= heard + pause { return false }
            defer { state.isOn = true }
            return !state.isOn
        }
        if isNew { logger.warning("\(reason)") }
    }

    /// It has answered.
    func heard() {
        let wasOn = state.withLock { state in
            defer { state = State(isOn: false, heard: .now) }
            return state.isOn
        }
        if wasOn { logger.info("the coordinator answers again") }
    }
}

/// A connection of which the log is told whether it reaches the coordinator.
struct WatchedConnection: CoordinatorConnection {
    private let connection: any CoordinatorConnection
    private let outage: CoordinatorOutage
    /// When the exchange under way began.
    private let begun: Locked<ContinuousClock.Instant>

    init(
        _ connection: any CoordinatorConnection, outage: CoordinatorOutage,
        begun: Locked<ContinuousClock.Instant> = Locked(.now)
    ) {
        self.connection = connection
        self.outage = outage
        self.begun = begun
    }

    /// Of a client its word that nothing takes a connection goes to the log, too.
    init(client: CoordinatorClient, outage: CoordinatorOutage) {
        let begun = Locked(ContinuousClock.now)
        client.whenAbsent = { reason in outage.found(reason, begun: begun.withLock { $0 }) }
        self.init(client, outage: outage, begun: begun)
    }

    func exchange(
        _ asking: CoordinatorDoor.Asking, isWanted: @escaping () -> Bool
    ) throws -> CoordinatorDoor.Answers {
        let start = ContinuousClock.now
        begun.withLock { $0 = start }
        do {
            let answers = try connection.exchange(asking, isWanted: isWanted)
            outage.heard()
            return answers
        } catch let error as ClientError where error.code == .unreachable {
            outage.found(error.message, begun: start)
            throw error
        }
    }
}
