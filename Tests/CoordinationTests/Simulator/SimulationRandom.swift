import ClusterTestSupport
import Coordination
import Messages

/// SplitMix64: the simulator's only source of chance.
struct SimulationRandom {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int {
        Int(next() % UInt64(max(1, bound)))
    }

    mutating func between(_ lowest: Int64, _ highest: Int64) -> Int64 {
        lowest + Int64(next() % UInt64(max(1, highest - lowest + 1)))
    }

    mutating func chance(_ probability: Double) -> Bool {
        Double(next() >> 11) / Double(1 << 53) < probability
    }

    mutating func element<T>(of list: [T]) -> T? {
        list.isEmpty ? nil : list[below(list.count)]
    }
}

/// FNV-1a: places users in shards, and makes up margins and embeddings.
func simulatedHash(_ text: String) -> UInt64 {
    text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
}
