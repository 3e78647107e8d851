import Foundation
import Testing

@testable import Ledger

@Suite("Candidates of MovieLens-100K")
struct CandidatesOnMovieLensTests {
    private static let folder = ProcessInfo.processInfo.environment["LETHE_TEST_ML100K"]

    /// Items and ratings of each user, the oldest first.
    private func ratings() throws -> [Int64: [(Int64, Double)]] {
        let folder = try #require(Self.folder)
        let text = try String(contentsOfFile: folder + "/ml-100k.inter", encoding: .utf8)
        var rows: [Int64: [(time: Double, item: Int64, rating: Double)]] = [:]
        for line in text.split(separator: "\n").dropFirst() {
            let fields = line.split(separator: "\t").compactMap { Double($0) }
            guard fields.count == 4 else { continue }
            rows[Int64(fields[0]), default: []].append((fields[3], Int64(fields[1]), fields[2]))
        }
        return rows.mapValues { rows in
            rows.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }
                .map { ($0.element.item, $0.element.rating) }
        }
    }

    @Test(
        "The last item that somebody likes is more often among 200 candidates than among the 200 most popular",
        .enabled(if: folder != nil))
    func hits() throws {
        let all = try ratings()
        var counts = LikeCounts()
        var asked: [(liked: [Int64], rated: Set<Int64>, wanted: Int64)] = []
        for (user, ratings) in all.sorted(by: { $0.key < $1.key }) {
            let last = ratings.lastIndex { $0.1 > 3 } ?? 0
            let isAsked = ratings.count { $0.1 > 3 } >= 6
            let before = isAsked ? Array(ratings[..<last]) : ratings
            let liked = Person.likes(before, above: 3)
            counts.set(liked, of: user, draw: UInt64(user) &* 0x9E37_79B9_7F4A_7C15)
            if isAsked { asked.append((liked, Set(before.map(\.0)), ratings[last].0)) }
        }
        func hits(_ liked: ([Int64]) -> [Int64]) -> Double {
            let hits = asked.count { question in
                let choice = counts.choose(
                    likedBy: liked(question.liked), most: 200, isCandidate: { !question.rated.contains($0) },
                    precedes: <)
                return (choice.likedTogether + choice.popular).contains(question.wanted)
            }
            return Double(hits) / Double(asked.count)
        }
        let (together, popular) = (hits { $0 }, hits { _ in [] })
        #expect(asked.count == 934)
        #expect((0.68...0.7).contains(together) && (0.54...0.57).contains(popular), "\(together) \(popular)")
    }
}
