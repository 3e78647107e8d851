import Coordination
import Messages

/// Tasks that are to be made whole from the ledger and sent to workers. What is made whole waits in memory until its worker has
/// read it; so no more are begun than a few at a time, and none for a worker that has not read what was made for it before,
/// while much waits. A value.
///
/// Tasks of one worker keep their order. What takes one of them back takes it out of here. Of what a worker asked for one answer
/// to a question waits, and it waits until the one before it is made: who asks often gets no more by it.
package struct WaitingTasks {
    /// A question of a worker.
    package struct Question: Hashable, Sendable {
        fileprivate enum Subject: Hashable, Sendable {
            case prompts(TaskID)
            case adapters(TaskID)
            case stages(shard: Int)
        }

        fileprivate var peer: PeerID
        fileprivate var subject: Subject
    }

    package enum Work: Sendable, Equatable {
        case dispatch(Dispatch)
        /// Behind adapters that wait to be sent: they may be among them.
        case drop(adapters: [String])
    }

    package struct Entry: Sendable, Equatable {
        package var peer: PeerID
        package var work: Work

        /// nil: it is no answer.
        package var question: Question? {
            guard case .dispatch(let dispatch) = work else { return nil }
            let subject: Question.Subject
            switch dispatch {
            case .prompts(let task, _, _, _): subject = .prompts(task)
            case .adapters(let task, _): subject = .adapters(task)
            case .noStage(_, let shard): subject = .stages(shard: shard)
            default: return nil
            }
            return Question(peer: peer, subject: subject)
        }
    }

    /// Tasks that the ledger's thread is asked for at once.
    package static let underWayAtOnce = 16

    /// In the order in which they came.
    private var waiting: ChunkedList<Entry> = []
    private var underWay = 0
    /// Of what is under way, what it answers.
    private var open: Set<Question> = []

    package init() {}

    package var isEmpty: Bool { waiting.isEmpty }

    package mutating func add(_ dispatch: Dispatch, for peer: PeerID) {
        let entry = Entry(peer: peer, work: .dispatch(dispatch))
        guard let question = entry.question, let place = place(of: question) else { return waiting.append(entry) }
        if case .noStage = dispatch {
            // That there are no more is said behind those that there were.
            waiting.remove(at: place)
            waiting.append(entry)
        } else {
            waiting[place] = waiting[place].joined(with: entry)
        }
    }

    private func place(of question: Question) -> Int? {
        waiting.indices.first { waiting[$0].peer == question.peer && waiting[$0].question == question }
    }

    /// One that was begun is whole, or will never be.
    ///
    /// - `question`: what it answers.
    package mutating func ended(_ question: Question?) {
        underWay -= 1
        if let question { open.remove(question) }
    }

    /// What is to be begun now.
    ///
    /// - Parameter mayHand: whether more is to be made for the worker.
    package mutating func begin(where mayHand: (PeerID) -> Bool) -> [Entry] {
        guard !waiting.isEmpty else { return [] }
        var begun: [Entry] = []
        var heldBack: Set<PeerID> = []
        var position = 0
        while position < waiting.count, underWay < Self.underWayAtOnce {
            let entry = waiting[position]
            let isOpen = entry.question.map(open.contains) ?? false
            guard !isOpen, !heldBack.contains(entry.peer), mayHand(entry.peer) else {
                heldBack.insert(entry.peer)
                position += 1
                continue
            }
            waiting.remove(at: position)
            if case .dispatch = entry.work { underWay += 1 }
            if let question = entry.question { open.insert(question) }
            begun.append(entry)
        }
        return begun
    }

    /// Takes out what the message to the worker makes superfluous. A drop of adapters is repeated behind those that wait.
    package mutating func note(_ message: CoordinatorMessage, to peer: PeerID) {
        guard !waiting.isEmpty else { return }
        switch message {
        case .cancel(let task): remove(of: peer) { $0.task == task }
        case .release(let shard): remove(of: peer) { $0.shard == shard }
        case .drop(let adapters):
            let isWaiting = waiting.contains { entry in
                if case .dispatch(.adapters) = entry.work { entry.peer == peer } else { false }
            }
            if isWaiting { waiting.append(Entry(peer: peer, work: .drop(adapters: adapters))) }
        default: break
        }
    }

    /// The connection is gone.
    package mutating func remove(_ peer: PeerID) { remove(of: peer) { _ in true } }

    private mutating func remove(of peer: PeerID, where condition: (Dispatch) -> Bool) {
        for position in waiting.indices.reversed() where waiting[position].peer == peer {
            if case .dispatch(let dispatch) = waiting[position].work, condition(dispatch) {
                waiting.remove(at: position)
            }
        }
    }
}

extension WaitingTasks.Entry {
    /// The answer to a question that was asked again before it was begun. The adapters that were asked for first may be needed
    /// still; of prompts a worker says each time all that it lacks.
    fileprivate func joined(with later: Self) -> Self {
        guard case .dispatch(.adapters(let task, let first)) = work,
            case .dispatch(.adapters(_, let second)) = later.work
        else { return later }
        let names = Set(first.map(\.name))
        return Self(
            peer: peer, work: .dispatch(.adapters(task: task, first + second.filter { !names.contains($0.name) })))
    }
}

extension Dispatch {
    /// The shard whose copy on the worker's disk it is about.
    fileprivate var shard: Int? {
        switch self {
        case .assign(_, let shard, _, _, _, _), .correct(_, let shard, _, _, _), .prepare(_, let shard, _, _),
            .prompts(_, let shard, _, _), .hand(_, let shard, _, _, _, _), .stage(_, let shard, _, _),
            .noStage(_, let shard):
            shard
        case .replay, .replayStage, .embed, .adapters, .score, .compare: nil
        }
    }
}
