import Coordination
import Messages
import Recommendation
import Service
import Serving
import Testing

@Suite("Requests that are being answered")
struct RequestsInFlightTests {
    private func ticket(_ peer: UInt8, _ id: String = "r", by: String = "local") -> ClientTicket {
        ClientTicket(peer: PeerID([peer]), request: id, by: by, asked: "query")
    }

    private func request(_ user: String) -> ClientRequest { .query(.init(user: user, items: [], top: 3)) }
    private func at(_ milliseconds: Int64) -> CoordinatorInstant { CoordinatorInstant(milliseconds: milliseconds) }

    @Test("Whoever asks the same under the same name gets the same answer")
    func joined() {
        var requests = RequestsInFlight()
        #expect(requests.take(request("u"), ticket(1), at: at(0)) == .new)
        #expect(requests.take(request("u"), ticket(2), at: at(0)) == .joined)
        #expect(requests.take(request("u"), ticket(2), at: at(0)) == .repeated)
        #expect(requests.take(request("v"), ticket(3), at: at(0)) == .conflict)
        // Another key's request of that name is another request.
        #expect(requests.take(request("v"), ticket(4, by: "ben"), at: at(0)) == .new)
        #expect(requests.end(ticket(2)) == nil)
        #expect(requests.end(ticket(1)) == [ticket(1), ticket(2)])
        #expect(requests.end(ticket(1)) == nil)
        #expect(requests.take(request("v"), ticket(3), at: at(0)) == .new)
    }

    @Test("An import that is read and sent again is the same, whatever id its rows have; another one is not")
    func importAgain() {
        func finish(_ importID: String, batches: Int = 2, people: NewPeople? = nil) -> ClientRequest {
            .finishImport(
                .init(
                    importID: importID, batches: batches, prompts: PromptConfiguration(), given: [], newPeople: people))
        }
        var requests = RequestsInFlight()
        #expect(requests.take(finish("a"), ticket(1), at: at(0)) == .new)
        #expect(requests.take(finish("b"), ticket(2), at: at(0)) == .joined)
        #expect(requests.take(finish("a", people: .last), ticket(3), at: at(0)) == .conflict)
        #expect(requests.take(finish("c", batches: 3), ticket(3), at: at(0)) == .conflict)
        #expect(requests.request(of: QuestionID(ticket(2))) == finish("a"))
        #expect(requests.end(ticket(1)) == [ticket(1), ticket(2)])
    }

    @Test("Whoever waits is told once a second")
    func told() {
        var requests = RequestsInFlight()
        _ = requests.take(request("u"), ticket(1), at: at(0))
        _ = requests.take(request("u"), ticket(2, "s"), at: at(600))
        #expect(requests.due(at: at(999)).isEmpty)
        #expect(requests.due(at: at(1000)).map(\.ticket) == [ticket(1)])
        #expect(requests.due(at: at(1600)).map(\.ticket) == [ticket(2, "s")])
        #expect(requests.due(at: at(2000)).map(\.ticket) == [ticket(1)])
    }

    @Test("A request is abandoned when the last who waits for it is gone")
    func abandoned() {
        var requests = RequestsInFlight()
        _ = requests.take(request("u"), ticket(1), at: at(0))
        _ = requests.take(request("u"), ticket(2), at: at(0))
        let first = requests.leave(PeerID([1]))
        #expect(first.tickets == [ticket(1)] && first.abandoned.isEmpty)
        let last = requests.leave(PeerID([2]))
        #expect(last.tickets == [ticket(2)] && last.abandoned == [QuestionID(by: "local", request: "r")])
        // Who comes back while it goes on gets its answer.
        #expect(requests.take(request("u"), ticket(3), at: at(0)) == .joined)
        #expect(requests.end(ticket(1)) == [ticket(3)])
    }
}
