import Foundation
import Messages
import Service
import Testing
import ZeroMQ

@Suite("What a key may say, and which worker it may be")
struct KeyAdmissionTests {
    private let keys: [CurvePublicKey]
    private let first = UUID().uuidString
    private let second = UUID().uuidString

    init() throws { keys = try (0..<3).map { _ in try CurveKeyPair.generate().publicKey } }

    private func list(_ entries: (roles: Set<KeyRole>, worker: WorkerBinding)...) -> AllowList {
        AllowList(
            zip(keys, entries).enumerated().map { number, entry in
                KeyEntry(key: entry.0, roles: entry.1.roles, name: "key\(number)", worker: entry.1.worker)
            })
    }

    private func hello(_ worker: String, name: String = "host:1") -> PeerMessage {
        .worker(
            .hello(
                .init(
                    worker: worker, name: name, protocolVersion: 1, base: "", precision: .f32, arithmetic: "",
                    threads: 1,
                    copies: [])))
    }

    private let forget = PeerMessage.request(id: "r", .forget(.init(users: ["u"], interactions: [])))

    @Test func `What the roles do not allow is refused, with what it needs and what the key has`() {
        let admission = KeyAdmission(
            list(([.query, .audit], .firstUse), ([.worker], .firstUse), ([.admin], .firstUse)))
        let refused = admission.objection(to: forget, from: keys[0].text)
        #expect(refused?.code == .notAllowed)
        for part in ["key0", "forget or admin", "query, audit"] { #expect(refused?.message.contains(part) == true) }
        #expect(admission.objection(to: .request(id: "r", .audit(.init(after: 0))), from: keys[0].text) == nil)
        #expect(admission.objection(to: forget, from: keys[1].text)?.code == .notAllowed)
        #expect(admission.objection(to: forget, from: keys[2].text) == nil)
        #expect(admission.objection(to: hello(first), from: keys[2].text)?.code == .notAllowed)
        #expect(admission.objection(to: .worker(.heartbeat), from: keys[0].text)?.code == .notAllowed)
        #expect(
            admission.objection(to: .request(id: "r", .serving(.endLease)), from: keys[2].text)?.code == .notAllowed)
    }

    @Test func `A key that is on no list, and none at all, may nothing`() throws {
        let admission = KeyAdmission(list(([.admin], .firstUse)))
        for key in [keys[1].text, "", nil] {
            for message in [forget, hello(first), .request(id: "r", .status)] {
                #expect(admission.objection(to: message, from: key)?.code == .notAllowed)
            }
        }
    }

    @Test func `The first worker that uses a key keeps it, also for a coordinator that is started again`() {
        var admission = KeyAdmission(list(([.worker], .firstUse), ([.worker], .firstUse)))
        #expect(admission.objection(to: hello(first), from: keys[0].text) == nil)
        #expect(admission.tookIn(worker: first, key: keys[0].text) == "key0")
        #expect(admission.tookIn(worker: first, key: keys[0].text) == nil)
        let again = KeyAdmission(admission.list, bindings: admission.bindings)
        for admission in [admission, again] {
            #expect(admission.objection(to: hello(first), from: keys[0].text) == nil)
            let other = admission.objection(to: hello(second), from: keys[0].text)
            #expect(other?.code == .notAllowed && other?.message.contains(first) == true)
            // And the worker is nobody else's.
            let posing = admission.objection(to: hello(first), from: keys[1].text)
            #expect(posing?.code == .notAllowed && posing?.message.contains("key0") == true)
            #expect(admission.objection(to: hello(second), from: keys[1].text) == nil)
        }
    }

    @Test func `A worker that belongs to a key is not that of a key for however many, until the key is gone`() {
        var admission = KeyAdmission(list(([.worker], .firstUse), ([.admin, .worker], .any)))
        #expect(admission.tookIn(worker: first, key: keys[0].text) != nil)
        #expect(admission.objection(to: hello(first), from: keys[1].text) != nil)
        #expect(admission.objection(to: hello(second), from: keys[1].text) == nil)
        #expect(admission.tookIn(worker: second, key: keys[1].text) == nil)
        let left = AllowList([KeyEntry(key: keys[1], roles: [.worker], worker: .any)])
        let changes = admission.replace(left)
        #expect(changes.new == 0 && changes.changed == 1 && changes.gone == 1)
        #expect(admission.objection(to: hello(first), from: keys[1].text) == nil)
    }

    @Test func `A key may be for one id or for one name, whoever came first`() {
        let admission = KeyAdmission(
            list(([.worker], .worker(id: first)), ([.worker], .named("node7")), ([.worker], .firstUse)),
            bindings: [keys[0].text: second])
        #expect(admission.objection(to: hello(first), from: keys[0].text) == nil)
        #expect(admission.objection(to: hello(second), from: keys[0].text) != nil)
        for name in ["node7", "node7:4711", "node7-2"] {
            #expect(admission.objection(to: hello(second, name: name), from: keys[1].text) == nil)
        }
        for name in ["node70", "node", "node7-", "node7-b", "xnode7", "node7.example", ""] {
            #expect(admission.objection(to: hello(second, name: name), from: keys[1].text) != nil)
        }
        // The id that the list gives to one key is no other's.
        for key in [keys[1], keys[2]] {
            #expect(admission.objection(to: hello(first, name: "node7"), from: key.text) != nil)
        }
    }

    @Test
    func `A name that the coordinator makes binds no key, which is said; a host or a chosen name that looks so does`() {
        let admission = KeyAdmission(list(([.worker], .named("node7-1"))))
        let refused = admission.objection(to: hello(first, name: "node7:4711"), from: keys[0].text)
        #expect(refused?.code == .notAllowed)
        for part in ["--name node7-1", "worker=node7)"] { #expect(refused?.message.contains(part) == true, "\(part)") }
        // As it is called by now, at the next reading of the list.
        #expect(admission.objection(toWorker: first, named: "node7:4711", key: keys[0].text)?.code == .notAllowed)
        #expect(admission.objection(to: hello(first, name: "node7-1:4711"), from: keys[0].text) == nil)
        var named = WorkerMessage.Hello(
            worker: first, name: "node7:4711", protocolVersion: 1, base: "", precision: .f32, arithmetic: "",
            threads: 1,
            copies: [])
        named.label = "node7-1"
        #expect(admission.objection(to: .worker(.hello(named)), from: keys[0].text) == nil)
        let other = admission.objection(to: hello(first, name: "node8:4711"), from: keys[0].text)
        #expect(other?.message.contains("--name node7-1") == false)
    }

    @Test func `With another list who is gone may nothing more, and who has other roles goes by them`() {
        var admission = KeyAdmission(list(([.worker], .firstUse), ([.query], .firstUse)))
        #expect(admission.tookIn(worker: first, key: keys[0].text) != nil)
        #expect(admission.objection(toWorker: first, named: "host:1", key: keys[0].text) == nil)
        let changes = admission.replace(AllowList([KeyEntry(key: keys[1], roles: [.forget])]))
        #expect(changes.new == 0 && changes.changed == 1 && changes.gone == 1)
        #expect(admission.objection(toWorker: first, named: "host:1", key: keys[0].text)?.code == .notAllowed)
        #expect(admission.objection(to: forget, from: keys[1].text) == nil)
        #expect(
            admission.objection(to: .request(id: "r", .query(.init(user: "u", items: [], top: 1))), from: keys[1].text)
                != nil)
    }

    @Test func `From however many to the first: whoever has been here longest keeps the key, the others may not stay`()
        throws
    {
        var admission = KeyAdmission(list(([.worker], .any), ([.worker], .any), ([.query], .any)))
        let here: [(id: String, claim: String, key: String?)] = [
            (first, "host:1", keys[0].text), (second, "host:2", keys[0].text),
            ("third", "host:3", keys[1].text), ("fourth", "host:4", keys[2].text), ("fifth", "host:5", nil),
        ]
        for verdict in admission.review(Array(here.prefix(3))) { #expect(try verdict.get() == nil) }
        _ = admission.replace(list(([.worker], .firstUse), ([.worker], .any), ([.query], .any)))
        let verdicts = admission.review(here)
        #expect(try verdicts[0].get() == "key0" && verdicts[2].get() == nil)
        for place in [1, 3, 4] {
            #expect { try verdicts[place].get() } throws: { ($0 as? ClientError)?.code == .notAllowed }
        }
        #expect(admission.bindings == [keys[0].text: first])
        // Once more nothing changes, and nobody else comes in with the key.
        #expect(try admission.review(here)[0].get() == nil)
        #expect(admission.objection(to: hello(second), from: keys[0].text) != nil)
    }

    @Test func `What is remembered of keys does not grow with those that are gone`() throws {
        var admission = KeyAdmission(AllowList())
        for _ in 0..<20 {
            let key = try CurveKeyPair.generate().publicKey
            _ = admission.replace(AllowList([KeyEntry(key: key, roles: [.worker])]))
            #expect(admission.tookIn(worker: UUID().uuidString, key: key.text) != nil)
        }
        #expect(admission.bindings.count == 1)
    }
}
