import ClusterTestSupport
import Messages
import Testing

@Suite("Which message needs which role")
struct RequestRolesTests {
    private static let requests: [(request: ClientRequest, roles: Set<KeyRole>)] = [
        (.status, [.worker, .query, .data, .forget, .audit, .gateway, .admin]),
        (.configuration, [.query, .data, .forget, .audit, .gateway, .admin]),
        (.adapters, [.query, .data, .forget, .audit, .gateway, .admin]),
        (.importRows(.init(importID: "i", sequence: 0, items: [], interactions: [])), [.data, .admin]),
        (.finishImport(.init(importID: "i", batches: 1, prompts: .init())), [.data, .admin]),
        (.dropImport(id: "i"), [.data, .admin]), (.train, [.data, .admin]),
        (.forget(.init(users: ["u"], interactions: [])), [.forget, .admin]),
        (.forget(.init(users: ["u"], interactions: [], dryRun: true)), [.forget, .admin]),
        (.query(.init(user: "u", items: [], top: 1)), [.query, .admin]),
        (.operation(id: "o"), [.data, .forget, .audit, .gateway, .admin]),
        (.requests(.init(after: 0)), [.forget, .audit, .gateway, .admin]),
        (.audit(.init(after: 0)), [.audit, .gateway, .admin]),
        (.verify(.init(request: nil)), [.audit, .admin]), (.lineage, [.audit, .admin]),
        (.evaluate(.init(split: .test, compare: false)), [.admin]),
        (.comparedCases(.init(operation: "o", known: [])), [.admin]), (.stop(operation: "o"), [.admin]),
        (.exportAdapter(name: "a"), [.admin]),
        (.access(user: "u"), [.admin]), (.forgetCopy(.init(worker: "w", shard: nil)), [.admin]),
        (.serving(.model), [.gateway]), (.serving(.lease(.init(number: 1))), [.gateway]),
        (.serving(.endLease), [.gateway]), (.serving(.question(.init(user: "u", items: [], top: 1))), [.gateway]),
        (.serving(.attention(digest: "d")), [.gateway]), (.serving(.adapter(name: "a")), [.gateway]),
    ]

    @Test func `Every request needs the roles that the documentation names`() {
        for (request, roles) in Self.requests { #expect(request.roles == roles, "\(request)") }
    }

    @Test func `An admin may ask for everything but what a lease is needed for`() {
        for (request, roles) in Self.requests {
            if case .serving = request { #expect(roles == [.gateway]) } else { #expect(request.roles.contains(.admin)) }
        }
    }

    @Test func `Whatever a worker says needs the role worker, and no other role is enough`() {
        for message in WireSamples.worker { #expect(PeerMessage.worker(message).roles == [.worker]) }
    }

    @Test func `A worker's key asks for the status and nothing else`() {
        let asked = Self.requests.filter { PeerMessage.request(id: "r", $0.request).roles.contains(.worker) }
        #expect(asked.map(\.request) == [.status])
    }
}
