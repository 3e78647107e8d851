import Client
import Experiments
import Foundation
import Messages
import Unlearning

/// A comparison of methods whose finished cases are kept on the client's side, so that it can be stopped and taken up again.
///
/// The directory is the client's because reports are: a coordinator has its data directory, which is purged, backed up and
/// bound to one cluster, while a table of methods is what somebody at a terminal asked for, may outlive the cluster it came from,
/// and holds nothing that a query is answered from. Nothing of a comparison has to be in a ledger for that: cases are named by
/// what they are a function of, and the client says which it has.
struct ResumableComparison {
    /// What came of it: all cases, or those that there are and why there are no more.
    struct Outcome {
        var cases: ComparedCases
        /// nil: nothing is missing.
        var reason: (any Error)?
    }

    private let kept: KeptCases
    private let options: ComparisonOptions
    private var found: [String: ComparisonReport]
    private var plan: [PlannedCase] = []
    /// Those that the coordinator gave up.
    private var failed: [FailedCase] = []

    /// Looks at what is there, and names what cannot be used.
    init(_ directory: String, options: ComparisonOptions) throws {
        kept = try KeptCases(directory)
        self.options = options
        let contents = try kept.contents()
        found = contents.cases
        for refusal in contents.refused { Output.note("not used, \(refusal)") }
        guard found.count <= ComparisonOptions.largestKept else {
            throw CommandFailure(
                .badInput, "\(directory) has more than \(ComparisonOptions.largestKept) cases; use another directory")
        }
    }

    /// - Throws: what keeps it from beginning; what ends it once cases are known stands in the outcome.
    mutating func run(_ coordinator: CoordinatorClient, isStopped: () -> Bool) throws -> Outcome {
        let note = kept.note().flatMap { $0.options == options ? $0 : nil }
        plan = note?.plan ?? []
        do {
            // What the coordinator went on with while nobody asked; what ended before may be of older data.
            if let note, try !follow(note.operation, on: coordinator, isEarlier: true, isStopped: isStopped) {
                return outcome(reason: nil)
            }
            for _ in 0..<8 {
                if try !compare(on: coordinator, isStopped: isStopped) { return outcome(reason: nil) }
            }
            throw ClientError(code: .failed, message: "the comparison ends again and again without all of its cases")
        } catch {
            if plan.isEmpty { throw error }
            return outcome(reason: error)
        }
    }

    private func outcome(reason: (any Error)?) -> Outcome {
        let cases = ComparedCases(
            plan: plan,
            found: plan.compactMap { planned in
                found[planned.digest].map { FoundCase(digest: planned.digest, report: $0) }
            }, failed: failed.isEmpty ? nil : failed)
        let failure = cases.report.incomplete.map { CommandFailure(.failed, $0) }
        return Outcome(cases: cases, reason: reason ?? failure)
    }

    /// - Returns: whether it has to be asked for anew.
    private mutating func compare(on coordinator: CoordinatorClient, isStopped: () -> Bool) throws -> Bool {
        let id = UUID().uuidString.lowercased()
        var request = options
        request.kept = found.keys.sorted()
        try kept.write(ComparisonNote(options: options, operation: id, plan: plan))
        try coordinator.call(.compare(request), id: id)
        return try follow(id, on: coordinator, isEarlier: false, isStopped: isStopped)
    }

    /// Keeps what is found until the operation ends.
    ///
    /// - Parameter isEarlier: it was begun by a client that was stopped: what is there of it counts, how it ended does not.
    /// - Returns: whether it has to be asked for anew.
    private mutating func follow(
        _ id: String, on coordinator: CoordinatorClient, isEarlier: Bool, isStopped: () -> Bool
    ) throws -> Bool {
        var progress = ProgressLine()
        defer { progress.end() }
        var hasRun = false
        failed = []
        while true {
            if isStopped() { throw CommandFailure(.notReady, "stopped") }
            let reply: OperationReply<ComparedCases>
            do {
                let known = found.keys.sorted()
                // Under way, long enough for a coordinator to be started again.
                let body = try coordinator.call(
                    .comparedCases(.init(operation: id, known: known)), patience: .seconds(hasRun ? 60 : 15)
                ).body
                reply = try ReplyCoding.decode(OperationReply<ComparedCases>.self, from: body)
            } catch let error as ClientError where error.code == .unknownOperation {
                if !isEarlier { Output.note("the coordinator has forgotten the request; asking again") }
                return true
            }
            if let cases = reply.result, try take(cases, of: id) { continue }
            switch reply.report.state {
            case .running:
                hasRun = true
                progress.show("\(reply.report.kind): \(reply.report.progress)", fraction: reply.report.fraction)
                Thread.sleep(forTimeInterval: 0.2)
            // One that an earlier client began left out what that client had, which may be gone since.
            case .done:
                let givenUp = Set(failed.map(\.planned.digest))
                return (isEarlier && !hasRun)
                    || plan.contains { found[$0.digest] == nil && !givenUp.contains($0.digest) }
            case .failed where isEarlier: return true
            case .failed: throw reply.report.error ?? ClientError(code: .failed, message: "compare failed")
            }
        }
    }

    /// - Returns: whether there was a report, and there may be more.
    private mutating func take(_ cases: ComparedCases, of operation: String) throws -> Bool {
        if !cases.plan.isEmpty, cases.plan != plan {
            plan = cases.plan
            try kept.write(ComparisonNote(options: options, operation: operation, plan: plan))
        }
        failed = cases.failed ?? []
        let planned = Set(cases.plan.map(\.digest))
        for one in cases.found {
            guard planned.contains(one.digest), one.report.isFinite, one.report.cases.count == 1 else {
                throw CommandFailure(.failed, "the coordinator sent a report of no case that was asked for")
            }
            try kept.keep(one)
            found[one.digest] = one.report
        }
        return !cases.found.isEmpty
    }
}
