import ClusterTestSupport
import LanguageModels
import Messages
import Recommendation
import Testing
import Unlearning

@Suite("Limits that depend on each other")
struct WireLimitsTests {
    private let digest = String(repeating: "f", count: 64)

    @Test(
        "A mixture of the adapters of all shards is one message, of whatever number of shards",
        arguments: [1, 139, 4096])
    func mixture(shards: Int) throws {
        #expect(WireLimits.shardCount.contains(shards))
        #expect(WireLimits.payloads == WireLimits.shardCount.upperBound + 2)
        // A result is one message to the coordinator; of adapters for a worker at least one shares a message.
        #expect(WireLimits.adapterBytes + WireLimits.header <= WireLimits.message)
        #expect(max(WireLimits.adapterBytes, WireLimits.promptBytes) + WireLimits.header <= WireLimits.workerMessage)
        #expect(WireLimits.frames >= 5 + WireLimits.workerMessage / WireLimits.payloadFrame + WireLimits.payloads)
        // The names of all of them, and the adapters themselves, of one byte each.
        let task = CoordinatorMessage.ScoreTask(
            task: .max, rule: .nonDecomposed, adapters: Array(repeating: digest, count: shards),
            weights: Array(repeating: 1, count: 2 * shards), prompts: WireSamples.prompts)
        guard case .score(let read) = try CoordinatorMessage(frames: CoordinatorMessage.score(task).frames()) else {
            Issue.record("another message")
            return
        }
        #expect(read == task)
        let whole = CoordinatorMessage.adapters(task: 1, Array(repeating: [1], count: shards))
        #expect(try CoordinatorMessage(frames: whole.frames()) == whole)
    }

    @Test("A worker can say that it holds a copy of every shard, with the longest names and numbers")
    func copies() throws {
        let copies = WireLimits.shards.map {
            ShardCopy(
                shard: $0, manifest: digest, prompts: WireLimits.promptsOfAShard, adapter: digest, prepared: digest)
        }
        #expect(copies.count == WireLimits.copies)
        let hello = WorkerMessage.Hello(
            worker: String(repeating: "w", count: 36), name: String(repeating: "n", count: 200),
            protocolVersion: Int(WireLimits.version),
            base: digest, precision: .bf16, arithmetic: digest, threads: 64, copies: copies,
            work: Array(
                repeating: HeldTask(
                    task: .max,
                    content: .training(
                        .init(shard: 4095, manifest: digest, specification: WireSamples.specification)),
                    share: 1.0 / 3), count: WireLimits.heldTasks - 1)
                + [
                    HeldTask(
                        task: .max,
                        content: .margins(
                            adapter: digest, rule: .nonDecomposed,
                            digests: Array(repeating: digest, count: WireLimits.heldPrompts)))
                ])
        #expect(try WorkerMessage(frames: WorkerMessage.hello(hello).frames()) == .hello(hello))
        #expect(WireLimits.header <= WireLimits.frame)
        let goodbye = WorkerMessage.goodbye(deleted: Array(WireLimits.shards))
        #expect(try WorkerMessage(frames: goodbye.frames()) == goodbye)
        #expect(WireLimits.queuedMessages >= WireLimits.copies)
    }

    @Test("Names of adapters in a copy are as short as other names")
    func copyNames() throws {
        for (length, fits) in [(WireLimits.name, true), (WireLimits.name + 1, false), (0, false)] {
            let name = String(repeating: "a", count: length)
            for path in [\ShardCopy.adapter, \ShardCopy.trained] {
                var copy = ShardCopy(shard: 1, manifest: digest, prompts: 1, adapter: nil)
                copy[keyPath: path] = name
                let frames = try WorkerMessage.holds(copy).frames()
                #expect((try? WorkerMessage(frames: frames)) == (fits ? .holds(copy) : nil))
            }
        }
    }

    @Test("Of tasks that name too many prompts a hello names no more than the ids")
    func heldPrompts() {
        let digests = Array(repeating: digest, count: WireLimits.heldPrompts - 1)
        let held = (1...3).map {
            HeldTask(task: $0, content: .margins(adapter: "a", rule: .nonDecomposed, digests: digests), share: 0.5)
        }
        let fitting = held.fittingHello
        #expect(fitting.map(\.task) == [1, 2, 3] && fitting.map(\.share) == [0.5, 0.5, 0.5])
        #expect(fitting[0] == held[0] && fitting[1].content == nil && fitting[2].content == nil)
    }

    @Test("The manifest of the largest shard is one message, with a key for each of its prompts")
    func manifest() throws {
        #expect(WireLimits.promptsOfAShard <= WireLimits.prompts)
        let each = WireLimits.entryBytes + WireLimits.personKeyBytes + WireLimits.ownerBytes
        #expect(WireLimits.promptsOfAShard * each + WireLimits.shardKeyBytes <= WireLimits.workerMessage)
        let entry = ShardManifest.Entry(id: digest, digest: digest)
        #expect(try WireJSON.encode([entry], kind: "assign").count <= WireLimits.entryBytes)
        // The shape of it, with as many keys as there may be prompts, all of one prompt each.
        let count = WireLimits.promptsOfAShard
        let key = [UInt8](repeating: 7, count: ShardKeys.keyBytes)
        var keys = ShardKeys(
            shard: key, people: (0..<count).map { PersonKey(name: UInt64($0), key: key) }, owners: [])
        var task = CoordinatorMessage.PrepareTask(
            task: 1, shard: 0, manifest: digest, keys: keys, adapter: [],
            trial: InfluenceTrial(specification: WireSamples.specification))
        let frames = try CoordinatorMessage.prepare(task).frames()
        #expect(try CoordinatorMessage(frames: frames) == .prepare(task))
        #expect(
            frames.dropFirst(5).reduce(0) { $0 + $1.count }
                == WireLimits.shardKeyBytes + count * WireLimits.personKeyBytes)
        keys.people.append(PersonKey(name: .max, key: key))
        task.keys = keys
        #expect(throws: WireError.self) { try CoordinatorMessage.prepare(task).frames() }
    }
}
