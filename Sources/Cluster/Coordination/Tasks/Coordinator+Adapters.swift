import Messages

/// Adapters that workers score with: each travels to a worker once, and goes from its memory when nobody is to use it any
/// more.
extension Coordinator {
    mutating func provide(adapters names: [String], for id: TaskID, to worker: KnownWorker) {
        guard let peer = worker.peer, let task = task(id, of: worker) else { return }
        let known = Dictionary(adapters(of: task).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let wanted = names.compactMap { known[$0] }
        guard !wanted.isEmpty, wanted.count == names.count, Set(names).count == names.count else {
            return failed(id, .badReport, by: worker)
        }
        roster.update(worker.id) { worker in
            let before = Set(worker.adapters)
            worker.adapters += names.filter { !before.contains($0) }
        }
        // It may be that they answer nothing any more by now.
        index.retired.formUnion(names.filter { index.named[$0] == nil })
        dispatch(.adapters(task: id, wanted), to: peer)
    }

    /// Those that a scoring task names.
    private func adapters(of task: CoordinatorTask) -> [AdapterReference] {
        switch task.kind {
        case .values(.margins(let adapter), _): return [.published(name: adapter)]
        case .part(let part):
            guard isCurrent(part), case .score(let series, _) = part.item,
                let scoring = operation(part.operation)?.scoring, scoring.series.indices.contains(series)
            else { return [] }
            return scoring.adapters(of: scoring.series[series].model)
        default: return []
        }
    }

    /// Has workers drop adapters that answer nothing and that no evaluation is about.
    mutating func retireAdapters() {
        refresh()
        guard !index.retired.isEmpty else { return }
        let names = index.retired
        index.retired = []
        var kept: Set<String> = []
        for operation in operations.readers {
            if case .evaluate(let evaluation) = operation.course { kept.formUnion(evaluation.singles) }
        }
        let gone = names.subtracting(kept)
        for id in Set(gone.flatMap { roster.adapterHolders[$0] ?? [] }).sorted() {
            guard let worker = roster[id], let peer = worker.peer else { continue }
            roster.update(id) { $0.adapters = $0.adapters.filter { !gone.contains($0) } }
            send(.drop(adapters: worker.adapters.filter(gone.contains)), to: peer)
        }
    }
}

extension EvaluationScoring {
    func adapters(of model: EvaluationScores.Series.Model) -> [AdapterReference] {
        switch model {
        case .base: []
        case .adapter(_, let name): [.published(name: name)]
        case .single: [singleAdapter].compactMap { $0 }
        case .aggregate: adapters.map { .published(name: $0.name) }
        }
    }

    var singleAdapter: AdapterReference? {
        single.map { .bytes(name: $0.report.adapter, $0.bytes) }
    }
}
