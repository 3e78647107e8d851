/// A message as frames, with what has to be known of it to let it pass others.
package struct Parcel: Sendable {
    /// What a message is about. Messages about the same keep their order.
    package enum Subject: Hashable, Sendable {
        case task(TaskID)
        case shard(Int)
        /// Those in a worker's memory.
        case adapters
        /// What lies beside a worker's copies goes before what it says of them.
        case copies
    }

    package var frames: [[UInt8]]
    package private(set) var subjects: [Subject] = []
    /// Whatever waits about this is not wanted any more, and not sent.
    package private(set) var takesBack: Subject?
    /// Whether it goes as one message, however long it is.
    package private(set) var isWhole = false
    let bytes: Int

    package init(frames: [[UInt8]], about subjects: [Subject] = [], takesBack: Subject? = nil) {
        self.frames = frames
        self.subjects = subjects
        self.takesBack = takesBack
        bytes = frames.reduce(0) { $0 + $1.count }
    }

    var isLong: Bool { bytes > PortionLimits.short && !isWhole }
    /// What it counts while it waits.
    var heldBytes: Int { bytes + PortionLimits.parcelBytes }
}

extension Parcel {
    package init(_ message: CoordinatorMessage) throws(WireError) {
        self.init(frames: try message.frames(), about: message.subjects, takesBack: message.takesBack)
    }

    package init(_ message: WorkerMessage) throws(WireError) {
        self.init(frames: try message.frames(), about: message.subjects)
        // Before it nobody is known who could send portions.
        if case .hello = message { isWhole = true }
    }
}

extension CoordinatorMessage {
    fileprivate var subjects: [Parcel.Subject] {
        switch self {
        case .assign(let assignment): [.task(assignment.task), .shard(assignment.shard)]
        case .prepare(let task): [.task(task.task), .shard(task.shard)]
        case .replay(let task, _, _), .prompts(let task, _), .embed(let task, _, _), .compare(let task, _),
            .cancel(let task):
            [.task(task)]
        case .replayStage(let replay): [.task(replay.task)]
        case .hand(let hand): [.task(hand.task), .shard(hand.shard)]
        case .stage(let shard, _), .noStage(let shard): [.shard(shard)]
        case .score(let score): [.task(score.task)]
        case .adapters(let task, _): [.task(task), .adapters]
        case .drop: [.adapters]
        case .release(let shard): [.shard(shard)]
        case .welcome, .refused, .heartbeat, .taken, .leave: []
        }
    }

    /// An order to erase or to stop waits for nothing, least of all for what it makes superfluous.
    fileprivate var takesBack: Parcel.Subject? {
        switch self {
        case .cancel(let task): .task(task)
        case .release(let shard): .shard(shard)
        default: nil
        }
    }
}

extension WorkerMessage {
    fileprivate var subjects: [Parcel.Subject] {
        switch self {
        case .need(let task, _), .lacks(let task, _), .trained(let task, _, _), .scored(let task, _, _, _),
            .embedded(let task, _, _, _), .prepared(let task, _, _, _),
            .compared(let task, _), .failed(let task, _, _):
            [.task(task)]
        case .progress(let progress): [.task(progress.task)]
        case .staged(let task, _, _): [.task(task), .copies]
        case .handed(let task, _), .withdrawn(let task, _): [.task(task)]
        case .wants(let shard, _, _): [.shard(shard)]
        case .released(let shard): [.shard(shard)]
        case .holds(let copy): [.shard(copy.shard), .copies]
        case .hello, .heartbeat, .cleared, .leaving, .goodbye: []
        }
    }
}
