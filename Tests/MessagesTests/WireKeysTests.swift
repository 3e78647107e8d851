import ClusterTestSupport
import Compute
import Foundation
import Messages
import Recommendation
import Testing
import Unlearning

@Suite("Keys on the wire")
struct WireKeysTests {
    private let prompts = Toy.prompts(0..<8)
    private var keys: ShardKeys { Toy.keys(prompts) }

    private func assignment(_ keys: ShardKeys) -> CoordinatorMessage {
        .assign(
            CoordinatorMessage.Assignment(
                task: 1, shard: 2, specification: Toy.specification(), manifest: Toy.manifest(prompts), keys: keys,
                adapter: nil))
    }

    private func preparation(_ keys: ShardKeys) -> CoordinatorMessage {
        .prepare(
            .init(
                task: 1, shard: 2, manifest: Toy.manifest(prompts).digest, keys: keys, adapter: [1],
                trial: InfluenceTrial(specification: Toy.specification())))
    }

    @Test("Eight bytes of name, 32 of key a person and four an owner: nothing else travels")
    func size() throws {
        let payload = try Envelope(frames: assignment(keys).frames()).payloads[1]
        #expect(keys.people.count == 3 && keys.owners.count == 8)
        #expect(payload.count == 8 + 32 + 3 * 40 + 8 * 4)
        #expect(try CoordinatorMessage(frames: assignment(keys).frames()) == assignment(keys))
    }

    @Test("Keys that do not fit together, or their manifest, are not sent")
    func unsound() throws {
        func refuse(_ name: String, _ change: (inout ShardKeys) -> Void) {
            var changed = keys
            change(&changed)
            #expect(throws: WireError.self, "\(name)") { try assignment(changed).frames() }
        }
        refuse("no owner") { $0.owners.removeLast() }
        refuse("an owner too many") { $0.owners.append(0) }
        refuse("an owner who is not there") { $0.owners[3] = 3 }
        refuse("a negative owner") { $0.owners[3] = -1 }
        refuse("a short key") { $0.people[1].key.removeLast() }
        refuse("a long key") { $0.shard.append(0) }
        refuse("a name twice") { $0.people[1].name = $0.people[0].name }
        refuse("more people than prompts") { keys in
            keys.people += (0..<6).map { PersonKey(name: $0, key: keys.shard) }
        }
        #expect(throws: WireError.self) { try preparation(keys).frames() }
        #expect(throws: Never.self) { try preparation(keys.withoutOwners).frames() }
    }

    @Test("A payload that is cut, longer, or has other counts or owners is refused")
    func hostile() throws {
        let envelope = try Envelope(frames: assignment(keys).frames())
        func isRefused(_ payload: [UInt8]) throws -> Bool {
            var changed = envelope
            changed.payloads[1] = payload
            let frames = try changed.frames()
            return (try? CoordinatorMessage(frames: frames)) == nil
        }
        let whole = envelope.payloads[1]
        for count in whole.indices { #expect(try isRefused(Array(whole.prefix(count)))) }
        #expect(try isRefused(whole + [0]))
        let owners = whole.count - 8 * 4
        for position in Array(0..<8) + Array(stride(from: owners, to: whole.count, by: 4)) {
            for value in [UInt8(9), 0x80, 0xFF] where whole[position] != value {
                var changed = whole
                changed[position] = value
                #expect(try isRefused(changed), "\(value) at \(position)")
            }
        }
        // The counts say the same, and promise more than any memory has.
        #expect(try isRefused([UInt8](repeating: 0xFF, count: 8) + whole.dropFirst(8)))
    }

    @Test("Flipped bits give other keys or are refused, and never crash", arguments: 0..<4)
    func mutations(seed: Int) throws {
        let generator = CounterGenerator(seed: UInt64(seed))
        for message in [assignment(keys), preparation(keys.withoutOwners)] {
            let frames = try message.frames()
            for round in 0..<400 {
                var changed = frames
                let frame = Int(generator.word(at: 3 * round) % UInt32(frames.count))
                guard !changed[frame].isEmpty else { continue }
                let position = Int(generator.word(at: 3 * round + 1)) % changed[frame].count
                changed[frame][position] ^= UInt8(1 << (generator.word(at: 3 * round + 2) % 8))
                _ = try? CoordinatorMessage(frames: changed)
            }
        }
    }

    @Test("No text and no dump of a message shows a byte of a key")
    func hidden() throws {
        for message in [assignment(keys), preparation(keys.withoutOwners)] {
            var text = "\(message) \(String(reflecting: message))"
            dump(message, to: &text)
            for key in [keys.shard] + keys.people.map(\.key) {
                for form in KeyTraces.texts(of: key) { #expect(!text.contains(form)) }
            }
            #expect(text.contains("keys of a shard and 3 people"))
        }
        var text = "\(keys.people[0]) \(String(reflecting: keys.people)) \(keys)"
        dump(keys, to: &text)
        dump(keys.people, to: &text)
        for form in KeyTraces.texts(of: keys.people[0].key) { #expect(!text.contains(form)) }
    }
}
