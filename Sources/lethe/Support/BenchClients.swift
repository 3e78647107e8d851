import Client
import Foundation
import Messages
import ZeroMQ

/// Clients that ask at the same time, each on a thread and over a connection of its own, one request after the other.
struct BenchClients {
    let clients: [CoordinatorClient]
    let shares: [[ClientRequest]]
    /// No further request is begun after so many seconds.
    let seconds: Double

    /// Connects as many as there are shares, and waits until each is connected.
    init(shares: [[ClientRequest]], seconds: Double, connect: () throws -> CoordinatorClient) throws {
        self.shares = shares
        self.seconds = seconds
        clients = try shares.map { _ in
            let client = try connect()
            try client.call(.status, patience: .seconds(600))
            return client
        }
    }

    /// From sending to the reply, in seconds, of one client after the other.
    ///
    /// - Throws: the first failure.
    func run() throws -> [Double] {
        let ended = try Mailbox<(Int, Result<[Double], any Error>)>()
        for (index, share) in shares.enumerated() {
            // Nobody else uses it from here on.
            nonisolated(unsafe) let client = clients[index]
            let seconds = seconds
            let thread = Thread {
                let result = Result {
                    let clock = ContinuousClock()
                    let deadline = clock.now + .seconds(min(seconds, 1e9))
                    var times: [Double] = []
                    for request in share where clock.now < deadline {
                        times.append(try timed { try client.call(request, patience: .seconds(600)) })
                    }
                    return times
                }
                ended.post((index, result))
            }
            thread.start()
        }
        var results: [Int: Result<[Double], any Error>] = [:]
        while results.count < shares.count {
            for (index, result) in ended.take() { results[index] = result }
        }
        return try shares.indices.flatMap { try results[$0]?.get() ?? [] }
    }
}
