import Messages

/// Whether the ledger is to be asked which of the prompts that are embedded or scored are gone.
struct ValueDoubts: Sendable {
    /// Data changed since it was asked last.
    var areDue = false
    /// It was asked and has not answered: one question at a time, however often data changes.
    var areAsked = false
    /// It looks at all that is worked on: not for every one of many requests.
    var notBefore = CoordinatorInstant(milliseconds: 0)
}

/// What is computed of prompts that are there goes on while others are forgotten: otherwise nothing of it would ever be done
/// where requests come faster than chunks. The ledger keeps nothing of a prompt that is gone, whoever computed it.
extension Coordinator {
    /// Data changed: lists made before may name what is gone, and so may tasks.
    mutating func doubtMissingValues() {
        if !valueDoubts.areDue, valueDoubts.notBefore > now { alarms.add(.anything, at: valueDoubts.notBefore) }
        valueDoubts.areDue = true
        for kind in backlogs.keys {
            guard let pending = backlogs[kind]?.pending, pending.count > CoordinatorLimits.listedAfterChange else {
                continue
            }
            // The rest comes with the next list.
            backlogs[kind]?.pending = Array(pending.prefix(CoordinatorLimits.listedAfterChange))
        }
    }

    mutating func askForGonePrompts() {
        guard valueDoubts.areDue, !valueDoubts.areAsked, valueDoubts.notBefore <= now else { return }
        valueDoubts.areDue = false
        var (digests, known): ([String], Set<String>) = ([], [])
        for task in valueTasks {
            if case .values(_, let own) = task.kind { digests += own.filter { known.insert($0).inserted } }
        }
        for kind in wantedValues { digests += backlogs[kind]?.pending.filter { known.insert($0).inserted } ?? [] }
        guard !digests.isEmpty else { return }
        valueDoubts.areAsked = true
        actions.append(.findGone(digests))
    }

    /// Chunks with a prompt that is gone are called back: no worker is to go on with it.
    mutating func goneFound(_ result: Result<[String], ClientError>) {
        valueDoubts.areAsked = false
        valueDoubts.notBefore = now.advanced(bySeconds: CoordinatorLimits.goneSeconds)
        if valueDoubts.areDue { alarms.add(.anything, at: valueDoubts.notBefore) }
        switch result {
        case .success(let gone): leaveOut(Set(gone))
        case .failure:
            // Nobody knows which.
            for task in valueTasks { cancel(task) }
            for kind in backlogs.keys where backlogs[kind]?.isLoading == false { backlogs[kind]?.phase = .unknown }
        }
    }

    private mutating func leaveOut(_ gone: Set<String>) {
        guard !gone.isEmpty else { return }
        for kind in backlogs.keys {
            guard let pending = backlogs[kind]?.pending, pending.contains(where: gone.contains) else { continue }
            backlogs[kind]?.pending = pending.filter { !gone.contains($0) }
        }
        for task in valueTasks {
            guard case .values(let kind, let digests) = task.kind, digests.contains(where: gone.contains) else {
                continue
            }
            cancel(task)
            putBack(digests.filter { !gone.contains($0) }, of: kind)
        }
    }

    /// Oldest first.
    private var valueTasks: [CoordinatorTask] {
        tasks.ids { if case .values = $0.kind { true } else { false } }.compactMap { tasks[$0] }
    }
}
