import Messages
import Testing

@Suite("What a worker says of its copies, beside what is on record")
struct CopySettlementTests {
    private func copy(_ shard: Int, _ manifest: String) -> HandedCopy {
        HandedCopy(worker: "a", name: "host:a", shard: shard, manifest: manifest)
    }

    private func settlement(_ shards: [(Int, [String])], isEverything: Bool) -> CopySettlement {
        CopySettlement(
            worker: "a", name: "host:a", reason: .reported,
            shards: shards.map { CopySettlement.Shard(shard: $0.0, kept: $0.1) }, isEverything: isEverything)
    }

    @Test("Of the shards it names what is not kept is gone, of others only when it names everything")
    func gone() {
        let recorded = [copy(0, "a"), copy(0, "b"), copy(1, "a"), copy(2, "c")]
        let some: [(Int, [String])] = [(0, ["b"]), (2, [])]
        #expect(settlement(some, isEverything: false).changes(of: recorded).gone == [copy(0, "a"), copy(2, "c")])
        #expect(
            settlement(some, isEverything: true).changes(of: recorded).gone
                == [copy(0, "a"), copy(1, "a"), copy(2, "c")])
        #expect(settlement([], isEverything: false).changes(of: recorded).gone.isEmpty)
    }

    @Test("What is not on record returns, once and in the order in which it was named")
    func returned() {
        let named: [(Int, [String])] = [(5, ["z", "a", "z"]), (0, ["a", "n"]), (5, ["m", "a"])]
        let (gone, returned) = settlement(named, isEverything: true).changes(of: [copy(0, "a"), copy(5, "m")])
        #expect(gone.isEmpty)
        #expect(returned == [copy(5, "z"), copy(5, "a"), copy(0, "n")])
    }
}
