import LanguageModels
import Messages
import Recommendation
import Unlearning

/// One message of every kind, with contents that are easy to get wrong.
package enum WireSamples {
    package static let prompts = [
        TrainingPrompt(id: "a", instruction: "quotes \" and \\", input: "tab\tnewline\n日本 🎬 \u{0}", label: true),
        TrainingPrompt(id: "b", instruction: "", input: "", label: false),
    ]
    package static let specification = TrainingSpecification(
        base: "base", precision: .bf16, seed: .max, epochs: 3, batch: 7, learningRate: 1.0 / 3)
    package static let copy = ShardCopy(shard: 3, manifest: "m", prompts: 5, adapter: nil)

    package static let stage = HandedStage(
        name: "n3", digest: "d3", bytes: (0..<2_000_001).map { UInt8(truncatingIfNeeded: $0) })
    private static var sliced: TrainingSpecification {
        var specification = specification
        specification.slices = 4
        return specification
    }

    package static let provenance = ApproximateProvenance(
        method: .ifru, original: "a", result: "b", forgotten: 3, corrections: 2)
    package static let correction = CorrectionReport(
        provenance: provenance, method: .ifru(IFRUConfiguration()),
        preparation: .init(beforehand: true, cost: PhaseCost(seconds: 0.1)))

    private static var named: WorkerMessage.Hello {
        var hello = WorkerMessage.Hello(
            worker: "w", name: "host:1", protocolVersion: 2, base: "b", precision: .f32, arithmetic: "x", threads: 2,
            copies: [])
        (hello.label, hello.release, hello.uptimeSeconds) = ("node-1", "1.2.3", 0.5)
        (hello.isEphemeral, hello.knowsLeave) = (true, true)
        (hello.averagings, hello.methods) = (["none", "steps"], ["original", "npo"])
        return hello
    }

    package static let worker: [WorkerMessage] = [
        .trained(
            task: 1,
            TrainingReport(
                adapter: "a", manifest: "m", prompts: 3, specification: specification, steps: 1, tokens: 2,
                seconds: 0.1,
                computeSeconds: 0.05, epochLosses: [], correction: correction), adapter: [1]),
        .staged(
            task: 4,
            TrainingReport(
                adapter: "a", manifest: "m", prompts: 3, specification: specification, steps: 1, tokens: 2, seconds: 0,
                computeSeconds: 0, epochLosses: [0.5], slices: SlicesReport(count: 4, first: 3, tokens: 0, stage: 2)),
            adapter: [1, 2]),
        .trained(
            task: 5,
            TrainingReport(
                adapter: "a", manifest: "m", prompts: 3, specification: specification, steps: 1, tokens: 2, seconds: 0,
                computeSeconds: 0, epochLosses: [0.5],
                slices: SlicesReport(
                    count: 4, first: 3, tokens: 1,
                    stages: [
                        StageReport(slice: 1, name: "n1"), StageReport(slice: 3, name: "n3", digest: "d3", bytes: 9),
                        StageReport(slice: 4, name: "a", digest: "a", bytes: 2),
                    ])), adapter: [1, 2]),
        .withdrawn(task: .max), .withdrawn(task: 3, stage: "a"),
        .wants(shard: 4095, manifest: "m", stages: ["n3", "n1"]),
        .handed(task: 6, stage),
        .holds(ShardCopy(shard: 1, manifest: "m", prompts: 2, adapter: "a", stages: ["n1", "n3"])),
        .prepared(task: 3, shard: 2, adapter: "a", seconds: 0.5),
        .holds(ShardCopy(shard: 1, manifest: "m", prompts: 2, adapter: "a", prepared: "a")),
        .holds(ShardCopy(shard: 1, manifest: "m", prompts: 2, adapter: nil, hasCheckpoint: true, trained: "a")),
        .hello(
            WorkerMessage.Hello(
                worker: "w", name: "host:1", protocolVersion: 2, base: "b", precision: .f32, arithmetic: "x",
                threads: 2, copies: [copy])),
        .hello(
            WorkerMessage.Hello(
                worker: "w", name: "host:1", protocolVersion: 2, base: "b", precision: .f32, arithmetic: "x",
                threads: 2, copies: [],
                work: [
                    HeldTask(
                        task: .max,
                        content: .training(.init(shard: 4095, manifest: "m", specification: specification)),
                        share: 1),
                    HeldTask(task: 3),
                    HeldTask(task: 4, content: .replay(manifest: "m", specification: specification)),
                    HeldTask(
                        task: 5, content: .margins(adapter: "a", rule: .nonDecomposed, digests: ["d1", "d2"])),
                    HeldTask(
                        task: 6,
                        content: .embeddings(EmbeddingSource(layer: 1, pooling: .mean), digests: ["d1"])),
                ])),
        .hello(named), .leaving,
        .lacks(task: 7, adapters: ["a", "b"]),
        .heartbeat, .need(task: .max, digests: ["d1", "d2"]),
        .progress(
            WorkerMessage.TaskProgress(
                task: 1, step: 2, steps: 3, loss: 0.1, tokensPerSecond: 1e9, secondsRemaining: 0.25)),
        .progress(
            WorkerMessage.TaskProgress(
                task: 1, step: 2, steps: 3, loss: 0.1, tokensPerSecond: 1e9, secondsRemaining: 0.25,
                unkept: "the stage after slice 2 is not kept")),
        .trained(
            task: .max,
            TrainingReport(
                adapter: "a", manifest: "m", prompts: 3, specification: specification, steps: 1, tokens: 2,
                seconds: 0.1,
                computeSeconds: 0.05, epochLosses: [0.7, 0.6]),
            adapter: (0..<3_000_001).map { UInt8(truncatingIfNeeded: $0) }),
        .scored(task: 1, tokens: 9, seconds: 0.5, margins: [0.1, -.infinity, .leastNonzeroMagnitude]),
        .embedded(task: 1, tokens: 9, seconds: 0.5, values: []), .compared(task: 1, .sample), .released(shard: 0),
        .holds(copy),
        .failed(task: 2, code: .diskFull, message: "no room"), .cleared(worker: "w"),
        .cleared(worker: "w", secret: "s"),
        .goodbye(deleted: []), .goodbye(deleted: [0, 3]),
    ]

    package static let coordinator: [CoordinatorMessage] = [
        .welcome(CoordinatorMessage.Welcome(cluster: "c", heartbeatSeconds: 1, liveness: 3)),
        .welcome(CoordinatorMessage.Welcome(cluster: "c", heartbeatSeconds: 1, liveness: 3, work: [1, .max])),
        .adapters(task: 4, [[1, 2, 3], []]), .drop(adapters: ["a"]), .taken(task: .max),
        .refused(code: .baseModel, message: "another model"), .heartbeat,
        .assign(
            CoordinatorMessage.Assignment(
                task: 1, shard: 2, specification: specification, manifest: Toy.manifest(prompts),
                keys: Toy.keys(prompts), adapter: nil)),
        .assign(
            CoordinatorMessage.Assignment(
                task: 1, shard: 2, specification: specification, manifest: ShardManifest(entries: []),
                keys: Toy.keys([]), adapter: "a")),
        .assign(
            CoordinatorMessage.Assignment(
                task: 1, shard: 2, specification: specification, manifest: ShardManifest(entries: []),
                keys: Toy.keys([]), adapter: nil,
                correction: PendingCorrection(
                    method: .ifru(IFRUConfiguration(damping: .relative([0.1, 1]))), original: [1, 2, 3],
                    provenance: .approximate(provenance),
                    request: InfluenceRequest(
                        direct: [prompts[0]],
                        rebuilt: [.init(old: prompts[1], new: prompts[1], forgottenShare: 0.5)], added: prompts)))),
        .assign(
            CoordinatorMessage.Assignment(
                task: 1, shard: 2, specification: specification, manifest: ShardManifest(entries: []),
                keys: Toy.keys([]), adapter: nil,
                correction: PendingCorrection(
                    method: .e2urec(E2URecConfiguration(seed: .max)), original: [], provenance: .trained,
                    request: InfluenceRequest(direct: [])))),
        .prepare(
            .init(
                task: 9, shard: 1, manifest: "m", keys: Toy.keys(prompts).withoutOwners, adapter: [7],
                trial: InfluenceTrial(
                    specification: Toy.specification(),
                    configuration: IFRUConfiguration(damping: .relative([0.5, 2]), probes: 3)))),
        .replayStage(.init(task: 3, specification: sliced, slice: 1, prompts: prompts, before: nil)),
        .replayStage(.init(task: 3, specification: sliced, slice: 4, prompts: prompts, before: stage)),
        .hand(
            .init(
                task: 9, shard: 1, specification: sliced, manifest: Toy.manifest(prompts), keys: Toy.keys(prompts),
                stage: "n3")),
        .hand(
            .init(
                task: 9, shard: 1, specification: sliced, manifest: Toy.manifest(prompts), keys: Toy.keys(prompts),
                stage: nil)),
        .stage(shard: 2, stage), .noStage(shard: 2),
        .replay(task: 3, specification: specification, prompts: prompts), .prompts(task: 3, prompts: prompts),
        .score(
            CoordinatorMessage.ScoreTask(
                task: 4, rule: .decomposed, adapters: ["a", "b"], weights: [0.1, 0.9, 1, 0], prompts: prompts)),
        .score(
            CoordinatorMessage.ScoreTask(
                task: 4, rule: .nonDecomposed, adapters: [], weights: [], prompts: [])),
        .embed(task: 5, source: EmbeddingSource(layer: 8, pooling: .mean), prompts: prompts), .cancel(task: 6),
        .compare(task: 8, .sample(seed: .max)),
        .release(shard: 7), .leave,
        .welcome(CoordinatorMessage.Welcome(cluster: "c", heartbeatSeconds: 1, liveness: 3, name: "node-1")),
    ]

    package static let requests: [ClientRequest] = [
        .order(WorkerOrder(worker: "node-1", verb: .drain)),
        .importRows(
            ClientRequest.ImportRows(
                importID: "i", sequence: 0, items: [Item(id: "1", title: "Amélie (2001)")],
                interactions: [Interaction(user: "u", item: "1", timestamp: -1, rating: 3.5, ordinal: .max)])),
        .finishImport(ClientRequest.FinishImport(importID: "i", batches: 1, prompts: PromptConfiguration())), .train,
        .forget(
            ClientRequest.ForgetRequest(
                users: ["u"], interactions: [.init(user: "u", item: "1", timestamp: nil)], method: "apa",
                bridge: "ifru",
                dryRun: true)),
        .query(ClientRequest.QueryRequest(user: "u", items: [], top: 10)),
        .query(
            ClientRequest.QueryRequest(
                user: "", items: [], top: 10,
                history: [.init(item: "1", rating: 3.5), .init(item: "2", rating: 1, timestamp: -4)],
                filter: ItemFilter(
                    exclude: ["3"], conditions: [.init(field: "year", minimum: 1990), .init(field: "genre", text: "x")])
            )),
        .evaluate(
            ClientRequest.EvaluateRequest(
                split: .test, compare: true, attention: .init(tau: 30, neighbours: 20))),
        .compare(.quick), .compare(ComparisonOptions(kept: PlannedCase.samples(1).map(\.digest))),
        .verify(.init(request: nil, stages: .named([.init(shard: 3, slice: 2)]))),
        .verify(.init(request: nil, stages: .drawn(4096, seed: .max))),
        .dropImport(id: "i"), .verify(ClientRequest.VerifyRequest(request: nil)), .status, .configuration,
        .operation(id: "o"),
        .comparedCases(.init(operation: "o", known: PlannedCase.samples(2).map(\.digest))), .stop(operation: "o"),
        .adapters,
        .exportAdapter(name: "n"), .audit(.init(after: 7)), .access(user: "u"),
        .requests(.init(after: 7, limit: 5, pendingOnly: true)),
        .serving(.model), .serving(.lease(.init(number: .max, obeyed: .init(run: "r", version: .max)))),
        .serving(.lease(.init(number: 1))), .serving(.endLease), .serving(.attention(digest: "d")),
        .serving(.question(ClientRequest.QueryRequest(user: "u", items: ["i"], top: nil))),
        .serving(.adapter(name: "n")),
    ]
}
