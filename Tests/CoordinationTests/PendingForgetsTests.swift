import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

@Suite("Pending forget requests")
struct PendingForgetsTests {
    @Test("Brought up to date by difference they are those made anew", arguments: 0..<20)
    func difference(seed: Int) {
        var numbers = SeededNumbers(UInt64(seed))
        var pending: ChunkedList<LedgerSnapshot.PendingForget> = []
        var kept = PendingForgets(pending)
        for number in 0..<40 {
            let before = pending
            for _ in 0..<Int.random(in: 0...3, using: &numbers) where !pending.isEmpty {
                let place = Int.random(in: pending.indices, using: &numbers)
                if Bool.random(using: &numbers) { pending.remove(at: place) } else { pending[place].waitingFor = [] }
            }
            pending.append(
                LedgerSnapshot.PendingForget(
                    id: "r\(number)", received: Date(timeIntervalSince1970: 0),
                    waitingFor: (0..<5).filter { _ in Bool.random(using: &numbers) }))
            kept.update(from: before, to: pending)
            #expect(Set(kept.waitingFor) == Set(pending.flatMap(\.waitingFor)))
            #expect(kept.ready == pending.filter(\.waitingFor.isEmpty).map(\.id))
            #expect(Set(kept.retrained) == Set(pending.flatMap(\.retrained)))
            for request in 0...number { #expect(kept["r\(request)"] == pending.first { $0.id == "r\(request)" }) }
        }
    }
}
