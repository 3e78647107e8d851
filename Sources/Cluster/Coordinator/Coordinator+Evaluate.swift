import Recommendation

/// Evaluation: the split is scored under the base model, each adapter alone, their mixtures and, to compare, one adapter
/// trained on everything.
extension Coordinator {
    mutating func advance(_ evaluation: Evaluation, of operation: Operation) {
        guard evaluation.digests != nil else {
            guard !evaluation.isLoading, mayRead(operation) else { return }
            update(operation.id) { $0.setEvaluation { $0.isLoading = true } }
            return actions.append(.loadSplit(operation: operation.id, evaluation.split))
        }
        if let error = exhausted(among: { $0 == .operation(operation.id) }) {
            return failOperation(operation.id, error)
        }
        guard !evaluation.isBuilding, evaluation.isScored, let digests = evaluation.digests else { return }
        update(operation.id) { $0.setEvaluation { $0.isBuilding = true } }
        let scores = EvaluationScores(
            split: evaluation.split, digests: digests,
            series: evaluation.series.map {
                EvaluationScores.Series(
                    model: $0.model, margins: $0.margins, tokens: $0.tokens, seconds: $0.seconds)
            },
            single: evaluation.single,
            singleAdapter: evaluation.single == nil ? nil : evaluation.singleAdapter)
        actions.append(.buildEvaluation(operation: operation.id, scores))
    }

    // MARK: what to do

    mutating func splitLoaded(_ id: String, _ result: Result<LoadedSplit, ClientError>) {
        guard let (operation, old) = runningEvaluation(id), old.isLoading else { return }
        switch result {
        case .failure(let error): stop(operation, error)
        case .success(let split) where split.digests.isEmpty: failOperation(id, .emptySplit(old.split))
        case .success(let split):
            var evaluation = Evaluation(split: old.split, compare: old.compare)
            evaluation.digests = split.digests
            evaluation.adapters = activeAdapters
            let mixtures = settings.mixtures.filter { _ in !evaluation.adapters.isEmpty }
            let adapters = evaluation.adapters.map {
                EvaluationScores.Series.Model.adapter(shard: $0.shard, name: $0.name)
            }
            for model in [.base] + adapters { add(model, to: &evaluation, mayScore: true) }
            for mixture in mixtures {
                add(
                    .aggregate(rule: mixture.rule, attention: mixture.attention), to: &evaluation,
                    mayScore: !mixture.attention)
            }
            if mixtures.contains(where: \.attention) {
                evaluation.weights = .waitingForEmbeddings
                evaluation.missing = split.missingEmbeddings
                let chunks = chunks(of: split.missingEmbeddings.count).map(OperationPart.Item.embed)
                evaluation.todo.insert(contentsOf: chunks, at: 0)
                evaluation.parts += chunks.count
            }
            if evaluation.compare, snapshot.trainingPrompts > 0 {
                evaluation.todo.append(.single)
                evaluation.parts += 1
            }
            update(id) { $0.work = .evaluate(evaluation) }
            computeWeightsIfReady(id)
        }
    }

    /// Adds a series, and the parts that score it if nothing else has to come first.
    private func add(_ model: EvaluationScores.Series.Model, to evaluation: inout Evaluation, mayScore: Bool) {
        let count = evaluation.digests?.count ?? 0
        evaluation.series.append(
            Evaluation.Series(model: model, margins: [Float](repeating: 0, count: count)))
        if mayScore { scheduleScoring(of: evaluation.series.count - 1, in: &evaluation) }
    }

    private func scheduleScoring(of series: Int, in evaluation: inout Evaluation) {
        let chunks = chunks(of: evaluation.digests?.count ?? 0)
        evaluation.todo += chunks.map { .score(series: series, $0) }
        evaluation.parts += chunks.count
    }

    private func chunks(of count: Int) -> [Range<Int>] {
        let size = chunkSize(of: count)
        return stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
    }

    private mutating func computeWeightsIfReady(_ id: String) {
        guard let (operation, evaluation) = runningEvaluation(id), case .waitingForEmbeddings = evaluation.weights,
            let digests = evaluation.digests, !evaluation.isEmbedding,
            !tasks.contains(where: { $0.isEmbedding(for: operation) })
        else { return }
        update(id) { $0.setEvaluation { $0.weights = .computing } }
        actions.append(
            .computeWeights(
                operation: id, digests: digests, embeddings: evaluation.embeddings,
                adapters: evaluation.adapters.map(\.name)))
    }

    mutating func weightsComputed(_ id: String, _ result: Result<[Float], ClientError>) {
        guard let (operation, evaluation) = runningEvaluation(id), case .computing = evaluation.weights else { return }
        switch result {
        case .failure(let error): stop(operation, error)
        case .success(let weights):
            guard weights.count == (evaluation.digests?.count ?? 0) * evaluation.adapters.count else {
                return failOperation(id, .badReport)
            }
            var evaluation = evaluation
            evaluation.weights = .ready(weights)
            evaluation.embeddings = []
            for (position, series) in evaluation.series.enumerated() {
                guard case .aggregate(_, attention: true) = series.model else { continue }
                scheduleScoring(of: position, in: &evaluation)
            }
            update(id) { $0.work = .evaluate(evaluation) }
        }
    }

    mutating func singleTrained(
        _ evaluation: Evaluation, of operation: Operation, report: WorkerMessage.TrainedReport, adapter: [UInt8]
    ) {
        var evaluation = evaluation
        evaluation.single = report
        evaluation.singleAdapter = adapter
        evaluation.done += 1
        add(.single(name: report.adapter), to: &evaluation, mayScore: true)
        update(operation.id) { $0.work = .evaluate(evaluation) }
    }

    func message(for item: OperationPart.Item, of evaluation: Evaluation, task: TaskID) -> Dispatch? {
        switch item {
        case .embed(let range):
            return .embed(
                task: task, source: settings.configuration.embedding, digests: Array(evaluation.missing[range]))
        case .single:
            return .replay(task: task, specification: settings.configuration.training, .everything)
        case .score(let series, let range):
            guard let digests = evaluation.digests else { return nil }
            var adapters: [AdapterReference] = []
            var weights: [Float] = []
            var rule = settings.configuration.rule
            switch evaluation.series[series].model {
            case .base: break
            case .adapter(_, let name): adapters = [.published(name: name)]
            case .single(let name): adapters = [.bytes(name: name, evaluation.singleAdapter)]
            case .aggregate(let asked, let attention):
                adapters = evaluation.adapters.map { .published(name: $0.name) }
                rule = asked
                if attention, case .ready(let all) = evaluation.weights {
                    let width = adapters.count
                    weights = Array(all[(range.lowerBound * width)..<(range.upperBound * width)])
                }
            }
            return .score(
                task: task, rule: rule, adapters: adapters, weights: weights, digests: Array(digests[range]))
        case .replay: return nil
        }
    }

    // MARK: answers

    mutating func embedded(
        _ part: OperationPart, values: [Float], task: CoordinatorTask, by worker: KnownWorker
    ) {
        guard isCurrent(part), case .embed(let range) = part.item,
            let (_, evaluation) = runningEvaluation(part.operation)
        else { return failed(task.id, .badReport, by: worker) }
        let width = values.count / range.count
        let known = evaluation.embeddings.isEmpty ? width : evaluation.embeddings.count / evaluation.missing.count
        guard width > 0, width == known, values.count == width * range.count, values.allSatisfy(\.isFinite) else {
            return failed(task.id, .badReport, by: worker)
        }
        tasks.removeAll { $0.id == task.id }
        succeeded(task.work)
        update(part.operation) {
            $0.setEvaluation {
                if $0.embeddings.isEmpty { $0.embeddings = [Float](repeating: 0, count: $0.missing.count * width) }
                $0.embeddings.replaceSubrange((range.lowerBound * width)..<(range.upperBound * width), with: values)
                $0.done += 1
            }
        }
        computeWeightsIfReady(part.operation)
    }

    mutating func scored(
        _ part: OperationPart, margins: [Float], tokens: Int, seconds: Double, task: CoordinatorTask,
        by worker: KnownWorker
    ) {
        guard isCurrent(part), case .score(let series, let range) = part.item, margins.count == range.count,
            margins.allSatisfy(\.isFinite)
        else { return failed(task.id, .badReport, by: worker) }
        tasks.removeAll { $0.id == task.id }
        succeeded(task.work)
        update(part.operation) {
            $0.setEvaluation {
                $0.series[series].margins.replaceSubrange(range, with: margins)
                $0.series[series].tokens += max(0, tokens)
                $0.series[series].seconds += seconds.isFinite ? max(0, seconds) : 0
                $0.done += 1
            }
        }
    }

    mutating func evaluationBuilt(_ id: String, _ result: Result<[UInt8], ClientError>) {
        guard let (operation, evaluation) = runningEvaluation(id), evaluation.isBuilding else { return }
        switch result {
        case .success(let report): endOperation(id, .evaluation(report))
        case .failure(let error): stop(operation, error)
        }
    }

    private func runningEvaluation(_ id: String) -> (Operation, Evaluation)? {
        guard let operation = operation(id), operation.state == .running,
            case .evaluate(let evaluation) = operation.work
        else { return nil }
        return (operation, evaluation)
    }

    /// Data that went away meanwhile means to start anew; anything else is an error for the client.
    private mutating func stop(_ operation: Operation, _ error: ClientError) {
        if error.code == LedgerOutcome.stale { restart(operation.id) } else { failOperation(operation.id, error) }
    }
}

extension Evaluation {
    /// Whether embedding parts are still to be given out.
    var isEmbedding: Bool {
        todo.contains { if case .embed = $0 { true } else { false } }
    }

    /// Whether every series is complete, and none is still to come.
    var isScored: Bool {
        let weightsAreThere =
            switch weights {
            case .notNeeded, .ready: true
            case .waitingForEmbeddings, .computing: false
            }
        return weightsAreThere && done == parts
    }
}

extension CoordinatorTask {
    func isEmbedding(for operation: Operation) -> Bool {
        guard case .part(let part) = kind, case .embed = part.item else { return false }
        return part.operation == operation.id && part.generation == operation.generation
    }
}
