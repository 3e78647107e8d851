import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

/// What a year of ten thousand requests a day costs: a day's work does not grow with the days before it, and log and
/// certificates of 3,650,000 requests stay below 10 GB. A day is shorter here, and so is the year; with LETHE_TEST_FULL they
/// are longer, and what they cost is printed.
///
/// Every request names one person of one of four trained shards, whose workers have copies. Twenty wait for the same
/// training: what a cluster does that is asked every nine seconds and trains a shard in three minutes.
@Suite("Ledger: many days of forget requests")
struct YearOfForgetsTests {
    static let requestsOfAYear = 3_650_000
    static let bytesOfAYear = 10_000_000_000
    static let requestsOfATraining = 20

    @Test("A late day costs what an early one does, and what is kept of a year's requests stays below 10 GB")
    func year() throws {
        let isFull = TestRounds.isFull
        let (days, requests) = isFull ? (20, 2000) : (4, 100)
        let fixture = LedgerFixture(shards: 4)
        let ledger = try fixture.open()
        try fixture.load(.people(days * requests + 20, seed: 11), into: ledger)
        try trainShards(of: ledger, at: fixture.now)
        try ledger.purge()
        let before = try Self.pages(of: ledger)
        var seconds: [Double] = []
        for day in 0..<days {
            var spent = 0.0
            for first in stride(from: day * requests, to: (day + 1) * requests, by: Self.requestsOfATraining) {
                let round = first..<first + Self.requestsOfATraining
                let time = fixture.now.addingTimeInterval(Double(day) * 86_400 + Double(first % requests))
                spent += try Self.processorSeconds { try forget(round, in: ledger, at: time) }
                try trainShards(of: ledger, at: time)
                spent += try Self.processorSeconds { try finish(round, in: ledger, at: time) }
            }
            seconds.append(spent)
        }
        try ledger.purge()
        let growth = try Self.growth(of: ledger, since: before)
        let bytes = growth.reduce(0) { $0 + $1.bytes } / (days * requests)
        let tables = growth.map { "\($0.table) \($0.bytes / (days * requests))" }.joined(separator: ", ")
        #expect(bytes * Self.requestsOfAYear < Self.bytesOfAYear, "\(bytes) bytes a request: \(tables)")
        #expect(try ledger.auditVerdict().isIntact)
        print("a request keeps \(bytes) bytes: \(tables)")
        guard isFull else { return }
        let (early, late) = (seconds[1...5].sorted()[2], seconds.suffix(5).sorted()[2])
        #expect(late < 1.3 * early, "days cost \(seconds) s")
        print(
            "processor time of a request on days 2 to 6 and on the last 5, in ms (medians):",
            early / Double(requests) * 1000, late / Double(requests) * 1000)
    }

    private func forget(_ numbers: Range<Int>, in ledger: Ledger, at time: Date) throws {
        for number in numbers {
            let id = Self.id(number)
            var journal = AccessJournal()
            try ledger.record(journal.take(Access(by: "local", asked: "forget", request: id), at: time), at: time)
            _ = try ledger.forget(requestID: id, LedgerFixture.forget(users: ["person \(number)"]), at: time)
            _ = try ledger.snapshot()
        }
    }

    private func finish(_ numbers: Range<Int>, in ledger: Ledger, at time: Date) throws {
        for number in numbers {
            let id = Self.id(number)
            let shard = try #require(try ledger.forgetRequest(id)?.outcome.waitingFor.first)
            let adapter = try #require(try ledger.snapshot().shards[shard].adapter)
            let check = DoubleCheck(
                shard: shard, adapter: adapter.name, outcome: .sameBytes,
                workers: [Self.worker(shard), Self.worker((shard + 1) % 4)])
            _ = try ledger.finishForget(
                request: id, checks: [check], arithmetic: LedgerFixture.contentName(Array("arithmetic".utf8)), at: time)
            _ = try ledger.snapshot()
        }
    }

    /// Stands for the workers: adapters of the shards that have none, and their copies.
    private func trainShards(of ledger: Ledger, at time: Date) throws {
        for shard in try ledger.snapshot().shards where !shard.isCurrent {
            let (worker, name) = (Self.worker(shard.index), "host-\(shard.index) (4711)")
            try ledger.recordCopy(
                HandedCopy(worker: worker, name: name, shard: shard.index, manifest: shard.manifest), at: time)
            let bytes = LedgerFixture.adapter(shard.index, shard.manifest)
            let report = TrainingReport(
                adapter: try LedgerFixture.contentName(bytes), manifest: shard.manifest, prompts: shard.prompts,
                specification: ledger.configuration.training, steps: shard.prompts / 8, tokens: 97 * shard.prompts,
                seconds: 0.0137 * Double(shard.prompts), computeSeconds: 0.0129 * Double(shard.prompts),
                epochLosses: [1 / Double(shard.prompts).squareRoot(), 0.69 / Double(shard.prompts).squareRoot()])
            try ledger.publish(
                shard: shard.index, bytes: bytes, report: report, trainer: worker, at: time,
                contentName: LedgerFixture.contentName)
            try ledger.settleCopies(
                CopySettlement(
                    worker: worker, name: name, reason: .reported,
                    shards: [CopySettlement.Shard(shard: shard.index, kept: [shard.manifest])], isEverything: true),
                at: time)
        }
    }

    private static func worker(_ shard: Int) -> String { "6f9619ff-8b86-d011-b42d-00c04fc96\(100 + shard)" }

    /// As long as those that clients make.
    private static func id(_ number: Int) -> String {
        let digits = String(number * 7919 + 100_000_000)
        return "\(digits.prefix(8))-1b2c-4d3e-8f90-\(digits)abc"
    }

    /// Bytes of the database's pages, by table and index.
    private static func pages(of ledger: Ledger) throws -> [String: Int] {
        let lines = try ledger.inspect("SELECT pgsize || ' ' || name FROM dbstat WHERE aggregate = TRUE")
        return Dictionary(
            uniqueKeysWithValues: lines.map { line in
                let parts = line.split(separator: " ", maxSplits: 1)
                return (String(parts[1]), Int(parts[0]) ?? 0)
            })
    }

    /// Of tables and indexes that grew, the largest first: what people's records gave back is not set against it.
    private static func growth(of ledger: Ledger, since before: [String: Int]) throws -> [(table: String, bytes: Int)] {
        try pages(of: ledger).map { (table: $0.key, bytes: $0.value - (before[$0.key] ?? 0)) }
            .filter { $0.bytes > 0 }.sorted { ($1.bytes, $0.table) < ($0.bytes, $1.table) }
    }

    /// Of this thread: other tests run beside it.
    private static func processorSeconds(_ work: () throws -> Void) rethrows -> Double {
        var (begin, end) = (timespec(), timespec())
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin)
        try work()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end)
        return Double(end.tv_sec - begin.tv_sec) + Double(end.tv_nsec - begin.tv_nsec) / 1e9
    }
}
