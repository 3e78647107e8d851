import ArgumentParser
import Foundation
import Messages

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Replay the training and compare bytes.",
        discussion: """
            Trains the shards again, from the initial adapter on the data retained now, and compares the content names; on \
            another worker than the one that trained them, unless that is the only one. Shards that are being retrained are \
            named, not waited for, except those of the request. Ends with status 2 when one differs, is being retrained or \
            changed before it was replayed, \
            when a shard's adapter is approximate (that cannot be verified by replay), when there is nothing to replay, when \
            an adapter's file does not hold what its name says, and when the evidence (certificate, supplements, audit log) is not whole.

            In a cluster that trains in slices, --stage and --stages train single slices again, each from the stage before it, \
            on all workers that are there, and compare what comes out with what was recorded when the adapter was published. One \
            such replay shows that the stage follows from the one before it and from the slice's prompts; only all slices of a \
            shard together show what a full replay does. A slice without prompts has no stage: what there was before it stands \
            for it. A slice that --stage names and whose stages are not on record, or are with nobody, is not verified (status 2); \
            the others are replayed all the same. --stages draws from the slices whose stages are on record: others (of an older release, or of a worker whose disk was full) are named, and a shard that \
            has only such is not verified (status 2).
            """)

    @Option(help: "Only the shards that this forget request touched; its certificate's signature is checked too.")
    var request: String?

    @Option(help: "Only this slice of a shard, shards from 0, slices from 1: 0:2. More than one may be given.")
    var stage: [StageArgument] = []

    @Option(help: "Only so many slices, drawn from those on record of all shards; they are printed.")
    var stages: Int?

    @Option(help: "Draw the slices that this number drew before. [default: another one each time; it is printed]")
    var seed: UInt64?

    @OptionGroup var client: ClientOptions

    func validate() throws {
        if let stages, !(1...ClientRequest.StageChoice.most).contains(stages) {
            throw ValidationError("--stages must be from 1 to \(ClientRequest.StageChoice.most)")
        }
        if stage.count > ClientRequest.StageChoice.most {
            throw ValidationError("--stage can be given \(ClientRequest.StageChoice.most) times")
        }
        if stages != nil, !stage.isEmpty {
            throw ValidationError("--stage names slices, --stages draws some: not both")
        }
        if seed != nil, stages == nil { throw ValidationError("--seed is what --stages draws by") }
        if request != nil, stages != nil || !stage.isEmpty {
            throw ValidationError("a request's shards are replayed as a whole: not together with --stage or --stages")
        }
    }

    func run() throws {
        let drawn = stages.map { ($0, seed ?? UInt64.random(in: 0...(1 << 53))) }
        let choice: ClientRequest.StageChoice? =
            if let drawn { .drawn(drawn.0, seed: drawn.1) } else if stage.isEmpty { nil } else {
                .named(stage.map(\.address))
            }
        try client.withClient { coordinator in
            let body = try coordinator.complete(.verify(.init(request: request, stages: choice)))
            guard var result = try ReplyCoding.decode(OperationReply<VerifyReply>.self, from: body).result else {
                throw CommandFailure(.failed, "the reply holds no report")
            }
            result.seed = drawn?.1
            try client.output.emit(result) { result.text }
            if !result.verified { throw ExitCode(ExitStatus.mismatch.rawValue) }
        }
    }
}

/// A slice of a shard's training: "0:2".
struct StageArgument: ExpressibleByArgument {
    var address: ClientRequest.StageAddress

    init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false).map { Int32($0).map(Int.init) }
        guard parts.count == 2, let shard = parts[0], let slice = parts[1], shard >= 0, slice >= 0 else { return nil }
        address = ClientRequest.StageAddress(shard: shard, slice: slice)
    }
}
