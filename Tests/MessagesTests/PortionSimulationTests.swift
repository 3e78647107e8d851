import Compute
import Messages
import Testing

/// One direction of a link: what is given to it arrives in order, at so many bytes a second.
private struct Pipe {
    let rate: Double
    let delay: Double
    private var free = 0.0
    private var onTheWay: [(at: Double, given: Double, frames: [[UInt8]])] = []

    init(rate: Double, delay: Double) {
        (self.rate, self.delay) = (rate, delay)
    }

    var next: Double? { onTheWay.first?.at }
    var isEmpty: Bool { onTheWay.isEmpty }

    mutating func give(_ messages: [[[UInt8]]], at now: Double) {
        for frames in messages {
            free = max(free, now) + Double(frames.reduce(20) { $0 + $1.count + 9 }) / rate
            onTheWay.append((free + delay, now, frames))
        }
    }

    mutating func arrived(at now: Double) -> (given: Double, frames: [[UInt8]])? {
        guard let first = onTheWay.first, first.at <= now else { return nil }
        onTheWay.removeFirst()
        return (first.given, first.frames)
    }

    mutating func tear() { self = Pipe(rate: rate, delay: delay) }
}

/// Two ends, a link between them that is slow and breaks, and senders that keep what is not confirmed.
private struct Conversation {
    private let generator: CounterGenerator
    private var position = 0
    private var ends = [PortionExchange(limit: 8 << 20), PortionExchange(limit: 8 << 20)]
    private var pipes: [Pipe]
    /// What each end wants to bring to the other one: the first byte of the last frame names it.
    private var wanted: [[UInt8: [[UInt8]]]] = [[:], [:]]
    private var now = 0.0
    private var since = 0.0
    private(set) var longestWait = 0.0
    private(set) var breaks = 0

    init(seed: Int, rate: Double) {
        generator = CounterGenerator(seed: UInt64(seed))
        let delay = 0.01 + Double(seed % 5) * 0.03
        pipes = [Pipe(rate: rate, delay: delay), Pipe(rate: rate, delay: delay)]
        for end in 0..<2 {
            for name in 0..<UInt8(3 + random(4)) {
                let filling = (0..<random(4)).map { _ in [UInt8](repeating: 1, count: random(200_000)) }
                wanted[end][name] = [[]] + filling + [[name] + [UInt8](repeating: 3, count: 20_000 + random(200_000))]
            }
        }
    }

    private mutating func random(_ limit: Int) -> Int {
        position += 1
        return Int(generator.word(at: position)) % max(1, limit)
    }

    var isDone: Bool { wanted.allSatisfy(\.isEmpty) }
    var time: Double { now }
    var heldBytes: Int { ends.reduce(0) { $0 + $1.outgoing.heldBytes + $1.incoming.bytes } }

    mutating func connect() throws {
        ends = [PortionExchange(limit: 8 << 20), PortionExchange(limit: 8 << 20)]
        for end in 0..<2 { pipes[end].tear() }
        since = now
        for end in 0..<2 {
            for name in wanted[end].keys.sorted() {
                let parcel = Parcel(frames: wanted[end][name] ?? [], about: [.task(TaskID(name))])
                pipes[end].give(try ends[end].outgoing.send(parcel, at: now), at: now)
            }
        }
    }

    /// A tenth of a second, with a heartbeat each second.
    mutating func go(breaking: Bool) throws {
        let until = now + 0.1
        for end in 0..<2 where Int(now * 10) % 10 == 0 {
            pipes[end].give(try ends[end].outgoing.send(Parcel(CoordinatorMessage.heartbeat), at: now), at: now)
        }
        while let next = pipes.compactMap(\.next).min(), next <= until {
            now = max(now, next)
            for end in 0..<2 {
                while let (given, frames) = pipes[end].arrived(at: now) { try take(frames, given: given, at: 1 - end) }
            }
        }
        now = until
        if breaking, random(80) == 0 {
            breaks += 1
            try connect()
        }
    }

    private mutating func take(_ frames: [[UInt8]], given: Double, at end: Int) throws {
        guard PortionMessage.isOne(frames) else {
            if frames.count < 5 || frames[2] != Array("heartbeat".utf8) { return arrived(frames, at: end) }
            // While the window has not found its size yet, a heartbeat may wait longer.
            if given > since + 3 { longestWait = max(longestWait, now - given) }
            return
        }
        let step = try ends[end].take(frames, at: now)
        pipes[end].give(step.given, at: now)
        #expect(ends[end].outgoing.bytesOnTheWay <= PortionLimits.mostWindow)
        if let whole = step.whole { arrived(whole, at: end) }
    }

    private mutating func arrived(_ frames: [[UInt8]], at end: Int) {
        guard let name = frames.last?.first else { return }
        // After a break it may come a second time.
        if let sent = wanted[1 - end].removeValue(forKey: name) { #expect(sent == frames) }
    }
}

@Suite("Two ends of a slow link that breaks")
struct PortionSimulationTests {
    @Test("Every message arrives as it was sent, heartbeats pass, and nothing stays behind", arguments: 0..<24)
    func conversation(seed: Int) throws {
        let megabits = [1.0, 2, 4, 30][seed % 4]
        var conversation = Conversation(seed: seed, rate: megabits * 125_000)
        try conversation.connect()
        while !conversation.isDone, conversation.time < 600 { try conversation.go(breaking: conversation.time < 60) }
        #expect(conversation.isDone, "after \(conversation.breaks) breaks")
        for _ in 0..<20 { try conversation.go(breaking: false) }
        #expect(conversation.heldBytes == 0)
        // Where both directions are full, confirmations wait too.
        #expect(conversation.longestWait < 1, "\(megabits) Mbit/s")
    }
}
