import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

/// What a year of ten thousand requests a day costs: a day's work does not grow with the days before it, and log and
/// certificates of 3,650,000 requests stay below 22 GB. A day is shorter here, and so is the year; with LETHE_TEST_FULL they
/// are longer, and what they cost is printed.
@Suite("Ledger: many days of forget requests")
struct YearOfForgetsTests {
    static let requestsOfAYear = 3_650_000
    static let bytesOfAYear = 22_000_000_000

    @Test("A late day costs what an early one does, and what is kept of a year's requests stays below 22 GB")
    func year() throws {
        let isFull = TestRounds.isFull
        let (days, requests) = isFull ? (20, 2000) : (4, 40)
        let fixture = LedgerFixture(shards: 4)
        let ledger = try fixture.open()
        try fixture.load(Self.people(days * requests + 20), into: ledger)
        try ledger.purge()
        let before = try Self.bytes(in: fixture.directory)
        var seconds: [Double] = []
        for day in 0..<days {
            let begin = Self.processorSeconds
            for number in day * requests..<(day + 1) * requests {
                let time = fixture.now.addingTimeInterval(Double(day) * 86_400 + Double(number % requests))
                let id = "request \(number)"
                _ = try ledger.forget(
                    requestID: id, LedgerFixture.forget(users: ["person \(number)"]), at: time)
                _ = try ledger.finishForget(request: id, at: time)
                _ = try ledger.snapshot()
            }
            seconds.append(Self.processorSeconds - begin)
        }
        try ledger.purge()
        let bytes = (try Self.bytes(in: fixture.directory) - before) / (days * requests)
        #expect(bytes * Self.requestsOfAYear < Self.bytesOfAYear, "\(bytes) bytes a request")
        #expect(try ledger.auditVerdict().isIntact)
        guard isFull else { return }
        let (early, late) = (seconds[1...5].sorted()[2], seconds.suffix(5).sorted()[2])
        #expect(late < 1.3 * early, "days cost \(seconds) s")
        print(
            "a request: \(bytes) bytes; processor time of a request on days 2 to 6 and on the last 5, in ms (medians):",
            early / Double(requests) * 1000, late / Double(requests) * 1000)
    }

    /// With as many ratings each as make a prompt or two.
    private static func people(_ count: Int) -> SyntheticRatings {
        var numbers = SeededNumbers(11)
        var data = SyntheticRatings(users: 0, seed: 0)
        data.items = (0..<40).map { Item(id: "m\($0)", title: "Film \($0)") }
        for user in 0..<count {
            for time in 0..<7 {
                data.interactions.append(
                    Interaction(
                        user: "person \(user)", item: "m\(Int.random(in: 0..<40, using: &numbers))",
                        timestamp: Int64(time), rating: Double(Int.random(in: 1...5, using: &numbers)),
                        ordinal: Int64(data.interactions.count)))
            }
        }
        return data
    }

    private static func bytes(in folder: URL) throws -> Int {
        guard let files = FileManager.default.enumerator(atPath: folder.path) else { return 0 }
        return try files.reduce(0) { sum, file in
            let path = folder.appendingPathComponent(file as? String ?? "").path
            return sum + (try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0)
        }
    }

    /// Of this thread: other tests run beside it.
    private static var processorSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
