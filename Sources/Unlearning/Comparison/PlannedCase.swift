import Crypto
import Files
import Foundation
import Recommendation

/// One case of a comparison before it is computed: what it is about, and a name for everything that it is a function of.
public struct PlannedCase: Codable, Hashable, Sendable {
    /// SHA-256 over data, specification with base model and seed, settings of the methods, methods, requests and limit. Two
    /// cases of the same digest have the same report, times apart; see `ComparisonPlan.cases(of:)`.
    public var digest: String
    public var seed: UInt64
    /// `ComparisonCase.data`
    public var data: String

    public init(digest: String, seed: UInt64, data: String) {
        self.digest = digest
        self.seed = seed
        self.data = data
    }

    /// Whether a text from outside could be a digest: 64 lower-case hexadecimal digits.
    public static func isDigest(_ text: String) -> Bool {
        text.utf8.count == 64
            && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (97...102).contains($0) }
    }
}

/// A case with its report.
public struct FoundCase: Codable, Hashable, Sendable {
    public var digest: String
    public var report: ComparisonReport

    public init(digest: String, report: ComparisonReport) {
        self.digest = digest
        self.report = report
    }
}

/// A case that was tried as often as cases are, in vain.
public struct FailedCase: Codable, Hashable, Sendable {
    public var planned: PlannedCase
    /// The name of the last reason, and what it says.
    public var code: String
    public var reason: String

    public init(planned: PlannedCase, code: String, reason: String) {
        self.planned = planned
        self.code = code
        self.reason = reason
    }
}

/// What there is of a comparison.
public struct ComparedCases: Codable, Hashable, Sendable {
    /// All cases, in their order; empty: not known yet.
    public var plan: [PlannedCase]
    public var found: [FoundCase]
    /// Those that were given up; nil: none.
    public var failed: [FailedCase]?

    public init(plan: [PlannedCase] = [], found: [FoundCase] = [], failed: [FailedCase]? = nil) {
        self.plan = plan
        self.found = found
        self.failed = failed
    }

    /// The reports of those found, in the order of the plan, with the reasons of those that were given up.
    public var report: ComparisonReport {
        let reports = Dictionary(found.map { ($0.digest, $0.report) }, uniquingKeysWith: { first, _ in first })
        var report = ComparisonReport(merging: plan.compactMap { reports[$0.digest] })
        report.take((failed ?? []).filter { reports[$0.planned.digest] == nil })
        return report
    }

    public var missing: [PlannedCase] {
        let known = Set(found.map(\.digest))
        return plan.filter { !known.contains($0.digest) }
    }
}

extension ComparisonPlan {
    /// Raised with every change of what a case computes or reports: files of an earlier release are then computed again.
    package static let revision = 6

    /// Everything that `makeCase` and the methods make a case's report from.
    private struct Essence: Encodable {
        var revision: Int
        /// `ComparisonSource.digest()`
        var source: String
        var noise: ForgetKind?
        /// In their order, which is that of the rows; without those whose labels are flipped, which are other cases.
        var forget: [ForgetKind]
        var sequence: Int
        var limit: Int?
        var methods: [ComparisonMethod]
        /// With the case's seed, the epochs asked for, precision and base model.
        var settings: ComparisonSettings
        /// What the rows "sliced" are trained with.
        var sliced: TrainingSpecification
    }

    /// The cases by name, in the order of `entries`.
    ///
    /// The name is over the people's interactions rather than over the prompts made of them: so no case has to be made to be
    /// known, and nothing that a case depends on can be left out. How many seeds were asked for is no part of it: who asks for
    /// more of them keeps those that are there.
    ///
    /// - Throws: what the encoder throws.
    public func cases(of source: ComparisonSource) throws -> [PlannedCase] {
        let data = try source.digest()
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return try entries.map { entry in
            let isRecorded = entry.noise == nil
            let essence = Essence(
                revision: Self.revision, source: data, noise: entry.noise,
                forget: isRecorded ? options.forget.filter { $0.target != .noise } : [],
                sequence: isRecorded ? options.sequence : 0, limit: options.limit, methods: options.orderedMethods,
                settings: settings.seeded(entry.seed), sliced: settings.seeded(entry.seed).slicedSpecification)
            let digest = SHA256.hash(data: try encoder.encode(essence)).hexadecimal
            return PlannedCase(digest: digest, seed: entry.seed, data: entry.data)
        }
    }
}

extension ComparisonSource {
    /// Names people, interactions, recorded splits, titles and the rules for prompts.
    func digest() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        var hash = SHA256()
        func take(_ fields: [String]) { FieldHash.digest(fields).withUnsafeBytes { hash.update(bufferPointer: $0) } }
        take([String(decoding: try encoder.encode(builder.configuration), as: UTF8.self)])
        take(titles.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] })
        for person in people {
            let interactions = person.interactions.flatMap { interaction in
                [
                    interaction.user, interaction.item, String(interaction.timestamp),
                    String(interaction.rating.bitPattern), String(interaction.ordinal),
                    person.splits[interaction.key]?.rawValue ?? "",
                ]
            }
            // Who was dealt, by an import or a file, is not where the hash has them.
            take([person.user, person.slice.map(String.init) ?? ""] + interactions)
            for interaction in person.interactions {
                guard let negatives = person.negatives[interaction.key] else { continue }
                take(["negatives", interaction.item, String(interaction.timestamp)] + negatives)
            }
        }
        return hash.finalize().hexadecimal
    }
}
