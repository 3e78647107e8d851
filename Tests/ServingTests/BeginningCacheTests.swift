import LanguageModels
import Messages
import Serving
import Testing

@Suite struct BeginningCacheTests {
    private let equal = BeginningCache.Mixture(rule: .nonDecomposed, adapters: ["a", "b"])
    private let half: [Float] = [0.5, 0.5]
    private let prompt = (0..<100).map { Int32($0) }

    private func beginning(_ tokens: Int, rowBytes: Int = 1) throws -> KeptBeginning {
        try KeptBeginning(tokens: Array(prompt.prefix(tokens)), layers: 1, rowBytes: rowBytes)
    }

    private func forgotten(
        people: Set<Int64> = [], items: Set<String> = [], adapters: Set<String> = []
    ) -> ForgottenInputs {
        ForgottenInputs(people: people, items: items, adapters: adapters, changesReferences: false)
    }

    @Test func `The longest counts that was computed under the same adapters and weights`() throws {
        var cache = BeginningCache()
        cache.keep(try beginning(20), of: nil, equal, weights: half)
        cache.keep(try beginning(60), of: .init(person: 1, items: ["i"]), equal, weights: half)
        cache.keep(try beginning(80), of: nil, equal, weights: [1, 0])
        cache.keep(try beginning(90), of: nil, .init(rule: .decomposed, adapters: ["a", "b"]), weights: half)
        #expect(cache.beginning(of: prompt, equal, weights: half)?.tokens.count == 60)
        #expect(cache.beginning(of: Array(prompt.prefix(60)), equal, weights: half)?.tokens.count == 20)
        #expect(cache.beginning(of: prompt.reversed(), equal, weights: half) == nil)
    }

    @Test func `A forget takes what is of its person, of its items and of its adapters, and nothing else`() throws {
        func filled() throws -> BeginningCache {
            var cache = BeginningCache()
            cache.keep(try beginning(20), of: nil, equal, weights: half)
            cache.keep(try beginning(60), of: .init(person: 1, items: ["i"]), equal, weights: half)
            return cache
        }
        // What nobody owns may be of several people: it goes with any of them.
        let expected: [(ForgottenInputs, Int?)] = [
            (forgotten(people: [1]), nil), (forgotten(items: ["i"]), nil), (forgotten(people: [2], items: ["j"]), 60),
        ]
        for (inputs, left) in expected {
            var cache = try filled()
            cache.forget(inputs)
            #expect(cache.beginning(of: prompt, equal, weights: half)?.tokens.count == left)
        }
        var cache = try filled()
        cache.forget(forgotten(adapters: ["b"]))
        #expect(cache.count == 0)
        cache = try filled()
        cache.keepOnly(adapters: ["a"])
        #expect(cache.count == 0)
    }

    @Test func `What was not used for longest goes first when there is no room`() throws {
        var cache = BeginningCache()
        let rowBytes = BeginningCache.bytes / 100
        cache.keep(try beginning(20, rowBytes: rowBytes), of: nil, equal, weights: half)
        cache.keep(try beginning(19, rowBytes: rowBytes), of: nil, equal, weights: half)
        _ = cache.beginning(of: prompt, equal, weights: half)
        cache.keep(try beginning(18, rowBytes: rowBytes), of: nil, equal, weights: half)
        #expect(cache.count == 2)
        #expect(cache.beginning(of: prompt, equal, weights: half)?.tokens.count == 20)
    }
}
