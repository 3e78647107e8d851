import Experiments
import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("What names a case of a comparison")
struct PlannedCaseTests {
    private static let options = ComparisonOptions(
        forget: [ForgetKind(.users, 20), ForgetKind(.noise, 10)], seeds: 2, sequence: 2)

    private func names(
        _ shop: ComparisonShop, source: ComparisonSource? = nil, options: (inout ComparisonOptions) -> Void = { _ in },
        settings: (inout ComparisonSettings) -> Void = { _ in }
    ) throws -> [String] {
        var (chosen, set) = (Self.options, ComparisonShop.settings())
        options(&chosen)
        settings(&set)
        return try ComparisonPlan(options: chosen, settings: set).cases(of: source ?? shop.source).map(\.digest)
    }

    @Test("Cases have digests of their own, in the order in which they are computed, and the same ones again")
    func stable() throws {
        let shop = try ComparisonShop()
        let plan = try ComparisonPlan(options: Self.options, settings: ComparisonShop.settings())
        let cases = try plan.cases(of: shop.source)
        #expect(cases.count == 4 && Set(cases.map(\.digest)).count == 4)
        #expect(cases.allSatisfy { PlannedCase.isDigest($0.digest) })
        #expect(cases.map(\.seed) == plan.entries.map(\.seed))
        #expect(cases.map(\.data) == (try plan.entries.map { try plan.makeCase($0, from: shop.source).data }))
        #expect(try plan.cases(of: shop.source) == cases)
        let reversed = try ComparisonSource(
            people: shop.source.people.reversed(), titles: shop.source.titles,
            prompts: shop.shop.builder.configuration)
        #expect(try plan.cases(of: reversed) == cases)
    }

    @Test("Another base model, specification, setting, option or seed makes another case")
    func settings() throws {
        let shop = try ComparisonShop()
        let known = Set(try names(shop))
        let changes: [(inout ComparisonSettings) -> Void] = [
            { $0.specification.base = "another" }, { $0.specification.learningRate *= 2 },
            { $0.specification.seed += 100 }, { $0.specification.epochs += 1 }, { $0.shards += 1 },
            { $0.partition = .hash }, { $0.embedding.layer += 1 }, { $0.ascent.steps += 1 }, { $0.e2urec.alpha = 3 },
            { $0.ifru.spillover.toggle() }, { $0.specification.slices = 4 },
            {
                ($0.specification.slices, $0.specification.averaging) = (4, .steps)
            },
            {
                ($0.specification.slices, $0.specification.averaging) = (4, .polynomial)
            },
        ]
        for change in changes { #expect(known.isDisjoint(with: try names(shop, settings: change))) }
        let others: [(inout ComparisonOptions) -> Void] = [
            { $0.limit = 10 }, { $0.methods = [.sisa] }, { $0.epochs = 3 },
        ]
        for change in others { #expect(known.isDisjoint(with: try names(shop, options: change))) }
    }

    @Test("Another rating, title, time, split or rule for prompts makes another case")
    func data() throws {
        let shop = try ComparisonShop()
        let known = Set(try names(shop))
        func changed(
            _ people: (inout [ComparisonSource.Person]) -> Void = { _ in },
            titles: (inout [String: String]) -> Void = { _ in },
            prompts: (inout PromptConfiguration) -> Void = { _ in }
        ) throws -> ComparisonSource {
            var (all, named, rules) = (shop.source.people, shop.source.titles, shop.shop.builder.configuration)
            people(&all)
            titles(&named)
            prompts(&rules)
            return try ComparisonSource(people: all, titles: named, prompts: rules)
        }
        let sources = [
            try changed { $0[3].interactions[2].rating += 1 }, try changed { $0[3].interactions[2].timestamp += 1 },
            try changed { $0[0].interactions.removeLast() }, try changed { $0.removeLast() },
            try changed { $0[0].splits[$0[0].interactions[0].key] = .test }, try changed { $0[3].slice = 3 },
            try changed(titles: { $0["0"] = "AAAA" }), try changed(prompts: { $0.likeAbove += 0.5 }),
        ]
        for source in sources { #expect(known.isDisjoint(with: try names(shop, source: source))) }
    }

    @Test("More seeds, another sequence or another kind leave the cases alone that do not depend on them")
    func independent() throws {
        let shop = try ComparisonShop()
        let known = try names(shop)
        #expect(Array(try names(shop, options: { $0.seeds = 3 }).prefix(4)) == known)
        #expect(try names(shop, options: { $0.kept = known }) == known)
        let longer = try names(shop, options: { $0.sequence = 3 })
        #expect(longer[1] == known[1] && longer[3] == known[3] && longer[0] != known[0] && longer[2] != known[2])
        let more = try names(shop, options: { $0.forget.append(ForgetKind(.user, 1)) })
        #expect(more[1] == known[1] && more[0] != known[0])
    }

    @Test("A case that was given up stands with its reason beside those that there are, unless it was found after all")
    func failed() {
        let plan = (0..<3).map { PlannedCase(digest: "digest \($0)", seed: UInt64($0), data: "as recorded") }
        let failed = [1, 2].map { FailedCase(planned: plan[$0], code: "not-finite", reason: "reason \($0)") }
        let cases = ComparedCases(
            plan: plan, found: [0, 2].map { FoundCase(digest: plan[$0].digest, report: ComparisonReport()) },
            failed: failed)
        #expect(cases.report.failed == [failed[0]] && cases.report.missing == [plan[1]])
        #expect(cases.report.incomplete?.contains("reason 1") == true)
        #expect(ComparedCases(plan: plan).report.incomplete == nil)
    }
}
