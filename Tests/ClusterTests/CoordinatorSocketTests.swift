import Client
import Messages
import Testing

@Suite("Connections to a coordinator, of whoever waits and of whoever listens")
struct CoordinatorSocketTests {
    private func refusal(_ connect: ([String]) throws -> Void, _ endpoints: [String]) -> ClientError? {
        do {
            try connect(endpoints)
            return nil
        } catch {
            return error as? ClientError
        }
    }

    @Test("Both refuse alike what is no address, and take the first of several")
    func addresses() throws {
        let ways: [([String]) throws -> Void] = [
            { _ = try CoordinatorClient(endpoints: $0) }, { _ = try ServingLink(endpoints: $0) },
        ]
        for endpoints in [[], ["nowhere"], ["tcp://127.0.0.1"], ["tcp://127.0.0.1:99999"]] {
            let refusals = ways.map { refusal($0, endpoints) }
            #expect(refusals.allSatisfy { $0?.code == .invalidRequest }, "\(endpoints)")
            #expect(refusals[0]?.message == refusals[1]?.message, "\(endpoints)")
        }
        let several = ["tcp://127.0.0.1:9", "tcp://127.0.0.1:10"]
        #expect(try CoordinatorClient(endpoints: several).endpoint == several[0])
        #expect(ways.allSatisfy { refusal($0, several) == nil })
        // Nobody is there: nobody refused the key either.
        #expect(try ServingLink(endpoints: several).refusal == nil)
    }
}
