import Experiments
import Foundation
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("What can be told of distances to Retrain")
struct PairedDistanceTests {
    private let kind = ForgetKind(.users, 20)

    /// A request whose methods have these distances, prompt by prompt.
    private func request(
        _ seed: UInt64, _ batch: Int = 0, _ distances: [(ComparisonMethod, [Double])]
    ) -> PairedDistances {
        PairedDistances(
            seed: seed, kind: kind, batch: batch, distances: distances.map { (method: $0.0, values: $0.1) })
    }

    @Test("The error of a difference is that of the differences prompt by prompt, not of the two means")
    func pairing() throws {
        // Prompts differ much, methods by 0.01 on every one of them but for a little.
        let hard = [0.02, 0.30, 0.11, 0.25, 0.05]
        let noise = [0.001, -0.001, 0.002, -0.002, 0]
        let other = zip(hard, noise).map { $0 + 0.01 + $1 }
        let made = request(1, 0, [(.sisa, hard), (.ifru, other)])
        let single = try #require(DistanceEstimate(.sisa, in: [made]))
        let difference = try #require(DistanceEstimate(.sisa, less: .ifru, in: [made]))
        #expect(abs(difference.mean + 0.01) < 1e-12)
        // Σ(noise²)/(n − 1)/n, by hand.
        #expect(abs(try #require(difference.promptError) - (0.00001 / 4 / 5).squareRoot()) < 1e-12)
        #expect(difference.seedError == nil)
        #expect(try #require(single.standardError) > 0.04)
        // What another training would come to is not known from one seed.
        #expect(!difference.tells && ComparisonReport(paired: [made]).differences.map(\.isNearer) == [false])
        let report = ComparisonReport(paired: [made, request(2, 0, [(.sisa, hard), (.ifru, other)])])
        #expect(report.differences.map(\.isNearer) == [true])
        #expect(report.differences.first?.method == .sisa && report.differences.first?.than == .ifru)
    }

    @Test("Seeds are the outer level: what differs from seed to seed is not told from one that is sure of itself")
    func seeds() throws {
        // Within a seed no doubt at all, between seeds the sign changes.
        let requests = [0.05, -0.04, 0.02].enumerated().map { seed, shift in
            request(UInt64(seed), 0, [(.apaD, [0.1, 0.2, 0.3]), (.e2urec, [0.1 + shift, 0.2 + shift, 0.3 + shift])])
        }
        let difference = try #require(DistanceEstimate(.apaD, less: .e2urec, in: requests))
        #expect(difference.seeds == 3 && difference.prompts == 9)
        #expect(abs(difference.mean + 0.01) < 1e-12)
        #expect(try #require(difference.promptError) < 1e-7)
        // Standard deviation of −0.05, 0.04, −0.02 is 0.045826; by √3.
        #expect(abs(try #require(difference.seedError) - 0.0264575) < 1e-6)
        #expect(!difference.tells)
    }

    @Test("Requests that differ more than their prompts say count by how they differ")
    func requests() throws {
        // Within a request hardly any doubt, between the two the sign changes.
        let pairs = [0.01, -0.005].enumerated().map { batch, shift in
            let noise = [0.001, -0.001, 0.001, -0.001, 0.001, -0.001]
            return request(1, batch, [(.apaD, noise.map { 0.1 + $0 }), (.ifru, noise.map { 0.1 + shift + $0 * 2 })])
        }
        let difference = try #require(DistanceEstimate(.apaD, less: .ifru, in: pairs))
        #expect(abs(difference.mean + 0.0025) < 1e-12)
        // |−0.01 − 0.005| / 2.
        #expect(abs(try #require(difference.promptError) - 0.0075) < 1e-9)
    }

    @Test("Single prompts tell through requests and seeds; one alone tells nothing, and nor do equal answers")
    func few() throws {
        let one = request(1, 0, [(.sisa, [0.1]), (.ifru, [0.3]), (.apaD, [0.1])])
        let alone = try #require(DistanceEstimate(.sisa, less: .ifru, in: [one]))
        #expect(alone.standardError == nil && !alone.tells)
        let two = request(1, 1, [(.sisa, [0.1]), (.ifru, [0.32])])
        let both = try #require(DistanceEstimate(.sisa, less: .ifru, in: [one, two]))
        #expect(both.promptError != nil && !both.tells && both.seeds == 1)
        let other = request(2, 0, [(.sisa, [0.1]), (.ifru, [0.31])])
        #expect(try #require(DistanceEstimate(.sisa, less: .ifru, in: [one, two, other])).standardError != nil)
        #expect(try #require(DistanceEstimate(.sisa, less: .apaD, in: [one])).mean == 0)
        #expect(!(try #require(DistanceEstimate(.sisa, less: .apaD, in: [one, one]))).tells)
        #expect(DistanceEstimate(.sisa, less: .e2urec, in: [one]) == nil)
    }

    @Test("A comparison gives the paired distances of all methods that answered; their means are those of the rows")
    func comparison() throws {
        let shop = try ComparisonShop()
        let options = ComparisonOptions(forget: [kind, ForgetKind(.interaction, 2)], seeds: 2, sequence: 0)
        let report = ComparisonReport(merging: try shop.cases(options).map(ComparisonShop.run))
        let paired = try #require(report.paired)
        #expect(paired.count == 2 * 3 && report.isFinite)
        for request in paired {
            let rows = report.rows.filter {
                $0.seed == request.seed && $0.kind == request.kind && $0.batch == request.batch
            }
            #expect(request.methods == ComparisonMethod.allCases)
            #expect(request.prompts == rows[0].forgotten + rows[0].rebuilt)
            for (mean, row) in zip(request.means, rows) {
                #expect(abs(mean - (try #require(row.completeness?.divergence.jensenShannon))) < 1e-12)
            }
        }
        // Deleted and rebuilt prompts apart are the whole.
        let parts = try #require(report.parts)
        for request in paired {
            let own = parts.filter {
                $0.seed == request.seed && $0.kind == request.kind && $0.batch == request.batch
            }
            #expect(own.reduce(0) { $0 + $1.prompts } == request.prompts && own.allSatisfy { $0.prompts > 0 })
            for position in request.means.indices {
                let sum = own.reduce(0) { $0 + $1.means[position] * Double($1.prompts) }
                #expect(abs(sum - request.means[position] * Double(request.prompts)) < 1e-12)
            }
        }
        for row in report.rows {
            #expect((row.completeness?.deleted?.count ?? 0) == row.forgotten)
            #expect((row.completeness?.rebuilt?.count ?? 0) == row.rebuilt)
        }
        #expect(report.partIntervals.allSatisfy { $0.part != nil } && report.intervals.allSatisfy { $0.part == nil })
        #expect(!report.intervals.contains { $0.method == .retrain })
        let methods = ComparisonMethod.allCases.count - 1
        #expect(report.intervals.count == 2 * methods && report.differences.count == methods * (methods - 1))
        #expect(report.differences.allSatisfy { $0.difference.mean <= 0 })
        let again = ComparisonReport(merging: try shop.cases(options).map(ComparisonShop.run))
        #expect(again.differences == report.differences && again.intervals == report.intervals)
    }

    @Test("Spillover is visible on enough rebuilt prompts, beyond two standard errors, and never on deleted ones")
    func spillover() {
        func report(_ prompts: Int, gain: Double, part: ForgetPart = .rebuilt) -> ComparisonReport {
            let with = (0..<prompts).map { 0.05 + 0.001 * Double($0 % 3) }
            let without = with.enumerated().map { $1 + gain + 0.0005 * Double($0 % 2) }
            return ComparisonReport(
                parts: [1, 2].map { seed in
                    PairedDistances(
                        seed: seed, kind: kind, batch: 0,
                        distances: [(method: .ifru, values: with), (method: .ifruDirect, values: without)], part: part)
                })
        }
        let visible = report(15, gain: 0.01).spillover
        #expect(visible.map(\.prompts) == [30] && visible.map(\.isVisible) == [true])
        #expect(report(14, gain: 0.01).spillover.map(\.isVisible) == [false])
        #expect(report(15, gain: -0.01).spillover.map(\.isVisible) == [false])
        #expect(report(15, gain: 0.01, part: .deleted).spillover.isEmpty)
        #expect(report(15, gain: 0.01, part: .deleted).partDifferences.map(\.part) == [.deleted])
    }

    @Test("A report of an earlier release is read; one whose lists do not fit is refused")
    func outside() throws {
        let text = Data(#"{"attention":[],"cases":[],"descriptions":[],"rows":[],"sequences":[]}"#.utf8)
        let old = try JSONDecoder().decode(ComparisonReport.self, from: text)
        #expect(old.paired == nil && old.differences.isEmpty && old.isFinite)
        let sound = request(1, 0, [(.sisa, [0.1, 0.2]), (.ifru, [0.3, 0.1])])
        #expect(ComparisonReport(paired: [sound]).isFinite)
        let changes: [(inout PairedDistances) -> Void] = [
            { $0.means.removeLast() }, { $0.covariances?.removeLast() }, { $0.covariances?[0].removeLast() },
            { $0.means[0] = .infinity }, { $0.covariances?[1][0] = .nan }, { $0.prompts = 0 }, { $0.prompts = -1 },
            { $0.prompts = .max },
            { $0.methods[1] = .sisa }, { $0.means[0] = 1e300 },
        ]
        for change in changes {
            var broken = sound
            change(&broken)
            #expect(!ComparisonReport(paired: [broken]).isFinite)
        }
    }
}
