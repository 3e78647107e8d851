import Messages
import Serving

/// A question with what its answer rests on.
struct SimulatedQuestion {
    var number: UInt64
    /// When the coordinator looked, in microseconds.
    var collected: Int64
    var basis: AnswerBasis
    var run: String
    var version: UInt64
}

struct SimulatedGateway {
    var peer: PeerID
    var clock: SimulatedClock
    /// Grows when the process is killed and started anew.
    var life = 0
    var holder = LeaseHolder()
    var pausedUntil: Int64 = 0
    var lastQuestion: UInt64 = 0
    var asked: Set<UInt64> = []
    var computing: [UInt64: SimulatedQuestion] = [:]
    /// Computed, and waiting for a lease.
    var unsent: [SimulatedQuestion] = []

    static func peer(_ index: Int, _ life: Int) -> PeerID {
        life == 0 ? PeerID([UInt8(index)]) : PeerID([UInt8(index), UInt8(life & 0xff)])
    }
}

/// A clock of which nothing is known but that it runs at most two hundredths too fast or too slow.
struct SimulatedClock {
    private let offset: Int64
    private let rate: Double

    init(_ random: inout SimulatedChance) {
        offset = random.below(1_000_000)
        rate = 0.98 + 0.04 * Double(random.below(1001)) / 1000
    }

    /// - Parameter now: microseconds of true time.
    func milliseconds(at now: Int64) -> Int64 { offset + Int64(Double(now) * rate / 1000) }
}

/// SplitMix64: the simulation's only source of chance.
struct SimulatedChance: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int64) -> Int64 { bound > 0 ? Int64(next() % UInt64(bound)) : 0 }

    mutating func chance(_ share: Double) -> Bool { Double(next() >> 11) < share * Double(1 << 53) }
}
