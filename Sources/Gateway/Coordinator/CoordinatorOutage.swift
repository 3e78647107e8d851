import Client
import Logging
import Messages
import ZeroMQ

/// Whether the coordinator is away: told once when that begins and once when it ends, however many connections and requests find
/// it out.
final class CoordinatorOutage: Sendable {
    private let isOn = Locked(false)
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    /// - Parameter reason: addresses and causes, never content.
    func found(_ reason: String) {
        let isNew = isOn.withLock { isOn in
            defer { isOn = true }
            return !isOn
        }
        if isNew { logger.warning("\(reason)") }
    }

    /// It has answered.
    func heard() {
        let wasOn = isOn.withLock { isOn in
            defer { isOn = false }
            return isOn
        }
        if wasOn { logger.info("the coordinator answers again") }
    }
}

/// A connection of which the log is told whether it reaches the coordinator.
struct WatchedConnection: CoordinatorConnection {
    private let connection: any CoordinatorConnection
    private let outage: CoordinatorOutage

    init(_ connection: any CoordinatorConnection, outage: CoordinatorOutage) {
        self.connection = connection
        self.outage = outage
    }

    /// Of a client its word that nothing takes a connection goes to the log, too.
    init(client: CoordinatorClient, outage: CoordinatorOutage) {
        client.whenAbsent = { outage.found($0) }
        self.init(client, outage: outage)
    }

    func exchange(
        _ asking: CoordinatorDoor.Asking, isWanted: @escaping () -> Bool
    ) throws -> CoordinatorDoor.Answers {
        do {
            let answers = try connection.exchange(asking, isWanted: isWanted)
            outage.heard()
            return answers
        } catch let error as ClientError where error.code == .unreachable {
            outage.found(error.message)
            throw error
        }
    }
}
