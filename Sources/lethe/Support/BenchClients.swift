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
    /// Seconds between the beginnings of a client's requests, at least.
    let every: Double
    /// Asks for the status again and again meanwhile.
    private let observer: CoordinatorClient
    private static let pause = 0.05

    /// Connects as many as there are shares, and waits until each is connected.
    init(shares: [[ClientRequest]], seconds: Double, every: Double = 0, connect: () throws -> CoordinatorClient) throws
    {
        self.shares = shares
        self.seconds = seconds
        self.every = every
        func connected() throws -> CoordinatorClient {
            let client = try connect()
            try client.call(.status, patience: .seconds(600))
            return client
        }
        clients = try shares.map { _ in try connected() }
        observer = try connected()
    }

    /// From sending to the reply, in seconds: of the requests, of one client after the other, and of the status meanwhile.
    ///
    /// - Throws: the first failure.
    func run() throws -> (requests: [Double], status: [Double]) {
        let isOver = Locked(false)
        let observed = try Mailbox<Result<[Double], any Error>>()
        nonisolated(unsafe) let observer = observer
        Thread {
            observed.post(
                Result {
                    var times: [Double] = []
                    repeat {
                        times.append(try timed { try observer.call(.status, patience: .seconds(600)) })
                        Thread.sleep(forTimeInterval: Self.pause)
                    } while !isOver.withLock { $0 }
                    return times
                })
        }.start()
        let ended = try Mailbox<(Int, Result<[Double], any Error>)>()
        for (index, share) in shares.enumerated() {
            // Nobody else uses it from here on.
            nonisolated(unsafe) let client = clients[index]
            let (seconds, every) = (seconds, every)
            let thread = Thread {
                let result = Result {
                    let clock = ContinuousClock()
                    let deadline = clock.now + .seconds(min(seconds, 1e9))
                    var times: [Double] = []
                    var next = clock.now
                    for request in share {
                        Thread.sleep(forTimeInterval: max(0, (next - clock.now) / .seconds(1)))
                        guard clock.now < deadline else { break }
                        next = clock.now + .seconds(every)
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
        isOver.withLock { $0 = true }
        let status = try observed.take().first?.get() ?? []
        return (try shares.indices.flatMap { try results[$0]?.get() ?? [] }, status)
    }
}
