import ClusterTestSupport
import Messages
import Testing
import Worker

@Suite("Worker connection")
struct WorkerConnectionTests {
    let welcome = CoordinatorMessage.Welcome(cluster: "c", heartbeatSeconds: 1, liveness: 3)

    @Test("Without a welcome the attempts last from 1 to 32 seconds")
    func backOff() {
        var connection = ConnectionState()
        var now = 0.0
        var pauses: [Double] = []
        #expect(connection.tick(at: now) == [.connect(address: 0)])
        for _ in 0..<7 {
            let pause = connection.wait(at: now)
            #expect(connection.tick(at: now + pause - 0.01).isEmpty)
            now += pause
            #expect(connection.tick(at: now) == [.connect(address: 0)])
            pauses.append(pause)
        }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 32])
    }

    @Test(
        "Several addresses are tried in turn, each once before an attempt lasts longer, and the one that welcomed first of all"
    )
    func addresses() {
        var connection = ConnectionState(addresses: 3)
        var now = 0.0
        var tried: [ConnectionState.Action] = connection.tick(at: now)
        var pauses: [Double] = []
        for _ in 0..<6 {
            let pause = connection.wait(at: now)
            pauses.append(pause)
            now += pause
            tried += connection.tick(at: now)
        }
        #expect(tried == [0, 1, 2, 0, 1, 2, 0].map { .connect(address: $0) })
        #expect(pauses == [1, 1, 1, 2, 2, 2])
        now += connection.wait(at: now)
        #expect(connection.tick(at: now) == [.connect(address: 1)])
        connection.welcomed(welcome, at: now)
        #expect(connection.tick(at: now + 10) == [.lost, .connect(address: 1)])
        #expect(connection.tick(at: now + 11) == [.connect(address: 2)])
    }

    @Test("Silence of three periods is a loss within 4 seconds, and the attempts start at 1 second again")
    func silence() {
        var connection = ConnectionState()
        _ = connection.tick(at: 0)
        _ = connection.tick(at: 1)
        connection.welcomed(welcome, at: 2)
        var lost: Double?
        for step in 0..<50 where lost == nil {
            let now = 2 + Double(step) / 10
            if connection.tick(at: now).contains(.lost) { lost = now }
        }
        #expect(lost.map { $0 >= 5 && $0 < 6 } == true)
        #expect(!connection.isConnected)
        #expect(connection.wait(at: lost ?? 0) == 1)
    }

    @Test func `Whoever is refused over a connection that was there greets again after 1 second, and ever later`() {
        var connection = ConnectionState()
        _ = connection.tick(at: 0)
        connection.welcomed(welcome, at: 0)
        let wasTaken = connection.refused(.full, at: 5)
        #expect(wasTaken && !connection.isConnected && connection.wait(at: 5) == 1)
        var (now, pauses) = (5.0, [Double]())
        for _ in 0..<4 {
            let pause = connection.wait(at: now)
            pauses.append(pause)
            now += pause
            #expect(connection.tick(at: now) == [.connect(address: 0)])
            // That changes nothing: it is not a loss.
            let isLost = connection.refused(.full, at: now)
            #expect(!isLost)
        }
        #expect(pauses == [1, 2, 4, 8])
    }

    @Test func `A duplicate is one for good once its own connection of before would have been given up`() {
        var connection = ConnectionState()
        #expect([10, 99.9, 100].map { connection.isDuplicate(at: $0) } == [false, false, true])
        // One that was taken in between begins anew.
        _ = connection.tick(at: 100)
        connection.welcomed(welcome, at: 100)
        #expect([101, 190, 191].map { connection.isDuplicate(at: $0) } == [false, false, true])
    }

    /// Greets again and again; what the coordinator says, by attempt, nil for nothing.
    ///
    /// - Returns: seconds until the worker ends as a duplicate; nil: it does not.
    private func end(addresses: Int = 1, _ answer: (Int) -> ErrorCode?) -> Double? {
        var connection = ConnectionState(addresses: addresses)
        var now = 0.0
        for attempt in 0..<40 {
            _ = connection.tick(at: now)
            if let code = answer(attempt) {
                if code == .duplicateWorker, connection.isDuplicate(at: now) { return now }
                _ = connection.refused(code, at: now)
            }
            now += connection.wait(at: now)
        }
        return nil
    }

    @Test func `Only refusals as a duplicate that nothing else came between make it one for good`() throws {
        let always = try #require(end { _ in .duplicateWorker })
        #expect(always >= ConnectionState.longestDuplication)
        #expect(end { $0.isMultiple(of: 2) ? .duplicateWorker : nil } == nil)
        #expect(end { $0.isMultiple(of: 2) ? .duplicateWorker : .full } == nil)
        let later = try #require(end { $0 == 4 ? nil : .duplicateWorker })
        #expect(later > always)
        // At the other address there is nobody.
        #expect(end(addresses: 2) { $0.isMultiple(of: 2) ? .duplicateWorker : nil } != nil)
    }

    @Test("Any traffic counts as a sign of life")
    func traffic() {
        var connection = ConnectionState()
        _ = connection.tick(at: 0)
        connection.welcomed(welcome, at: 0)
        for step in 1..<100 {
            connection.received(at: Double(step))
            #expect(!connection.tick(at: Double(step)).contains(.lost))
        }
    }

    @Test("A coordinator that was slow lately is given up later, after 30 seconds at most")
    func patience() {
        var connection = ConnectionState()
        _ = connection.tick(at: 0)
        connection.welcomed(welcome, at: 0)
        connection.received(at: 2.9)
        #expect(connection.tick(at: 9).isEmpty)
        #expect(connection.tick(at: 9.8).first == .lost)
        _ = connection.tick(at: 10)
        connection.welcomed(welcome, at: 10)
        connection.received(at: 50)
        #expect(connection.tick(at: 79).isEmpty)
        #expect(connection.tick(at: 80).first == .lost)
    }
}
