import Messages

/// Evaluation: the split is scored under the base model, each adapter alone, their mixtures and, to compare, one adapter
/// trained on everything.
extension Coordinator {
    mutating func advance(_ evaluation: Evaluation, of operation: Operation) {
        guard evaluation.digests != nil else {
            guard !evaluation.isLoading, mayRead(operation) else { return }
            update(operation.id) { $0.setEvaluation { $0.isLoading = true } }
            return actions.append(.loadSplit(operation: operation.id, evaluation.split, evaluation.parameters))
        }
        if let error = exhausted(among: { $0 == .operation(operation.id) }) {
            return failOperation(operation.id, error)
        }
        guard !evaluation.isBuilding, evaluation.isScored, let digests = evaluation.digests else { return }
        update(operation.id) { $0.setEvaluation { $0.isBuilding = true } }
        let scores = EvaluationScores(
            split: evaluation.split, digests: digests,
            series: evaluation.series.map { series in
                let scored = series.sameAs.map { evaluation.series[$0] } ?? series
                return EvaluationScores.Series(
                    model: series.model, margins: scored.margins, tokens: scored.tokens, seconds: scored.seconds)
            },
            parameters: evaluation.parameters,
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
            var evaluation = old.anew
            evaluation.digests = split.digests
            evaluation.adapters = activeAdapters
            let mixtures = settings.mixtures.filter { _ in !evaluation.adapters.isEmpty }
            let adapters = evaluation.adapters.map {
                EvaluationScores.Series.Model.adapter(shard: $0.shard, name: $0.name)
            }
            if !evaluation.aggregatesOnly {
                for model in [.base] + adapters { add(model, to: &evaluation, mayScore: true) }
            }
            for mixture in mixtures { add(mixture, to: &evaluation, looksAtQuery: split.looksAtQuery) }
            for scope in AttentionScope.allCases
            where split.looksAtQuery && mixtures.contains(where: { $0.attention == scope }) {
                let missing = scope == .prompt ? split.missingEmbeddings : split.digests
                evaluation.attentions.append(Evaluation.Attention(scope: scope, missing: missing))
                let chunks = chunks(of: missing.count).map { OperationPart.Item.embed(scope, $0) }
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

    /// With attention the weights have to come first. Equal weights make every scope the same: one series is scored for all.
    private func add(
        _ mixture: CoordinatorSettings.EvaluationMixture, to evaluation: inout Evaluation, looksAtQuery: Bool
    ) {
        let twin = evaluation.series.firstIndex { series in
            guard case .aggregate(mixture.rule, _) = series.model else { return false }
            return !looksAtQuery
        }
        add(
            .aggregate(rule: mixture.rule, attention: mixture.attention), to: &evaluation,
            mayScore: twin == nil && (mixture.attention == nil || !looksAtQuery))
        evaluation.series[evaluation.series.count - 1].sameAs = twin
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
        guard let (operation, evaluation) = runningEvaluation(id), let digests = evaluation.digests else { return }
        for (position, attention) in evaluation.attentions.enumerated() {
            guard case .waitingForEmbeddings = attention.weights, !evaluation.isEmbedding(attention.scope),
                !tasks.contains(where: { $0.isEmbedding(attention.scope, for: operation) })
            else { continue }
            update(id) {
                $0.setEvaluation {
                    $0.attentions[position].weights = .computing
                    $0.attentions[position].embeddings = []
                }
            }
            actions.append(
                .computeWeights(
                    operation: id,
                    WeightsRequest(
                        scope: attention.scope, digests: digests, embeddings: attention.embeddings,
                        adapters: evaluation.adapters.map(\.name), parameters: evaluation.parameters)))
        }
    }

    mutating func weightsComputed(_ id: String, _ scope: AttentionScope, _ result: Result<[Float], ClientError>) {
        guard let (operation, old) = runningEvaluation(id),
            let position = old.attentions.firstIndex(where: { $0.scope == scope }),
            case .computing = old.attentions[position].weights
        else { return }
        switch result {
        case .failure(let error): stop(operation, error)
        case .success(let weights):
            guard weights.count == (old.digests?.count ?? 0) * old.adapters.count else {
                return failOperation(id, .badReport)
            }
            var evaluation = old
            evaluation.attentions[position].weights = .ready(weights)
            for (position, series) in evaluation.series.enumerated() {
                guard case .aggregate(_, scope) = series.model else { continue }
                scheduleScoring(of: position, in: &evaluation)
            }
            update(id) { $0.work = .evaluate(evaluation) }
        }
    }

    mutating func singleTrained(
        _ evaluation: Evaluation, of operation: Operation, report: TrainingReport, adapter: [UInt8]
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
        case .embed(let scope, let range):
            guard let attention = evaluation.attentions.first(where: { $0.scope == scope }) else { return nil }
            return .embed(
                task: task, source: settings.configuration.embedding, scope: scope,
                digests: Array(attention.missing[range]))
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
                if case .ready(let all) = evaluation.attentions.first(where: { $0.scope == attention })?.weights {
                    let width = adapters.count
                    weights = Array(all[(range.lowerBound * width)..<(range.upperBound * width)])
                }
            }
            return .score(
                task: task, rule: rule, adapters: adapters, weights: weights, digests: Array(digests[range]))
        case .replay, .compare: return nil
        }
    }

    // MARK: answers

    mutating func embedded(
        _ part: OperationPart, values: [Float], task: CoordinatorTask, by worker: KnownWorker
    ) {
        guard isCurrent(part), case .embed(let scope, let range) = part.item,
            let (_, evaluation) = runningEvaluation(part.operation),
            let position = evaluation.attentions.firstIndex(where: { $0.scope == scope })
        else { return failed(task.id, .badReport, by: worker) }
        let attention = evaluation.attentions[position]
        let width = settings.embeddingWidth
        guard values.count == width * range.count, values.allSatisfy(\.isFinite) else {
            return failed(task.id, .badReport, by: worker)
        }
        tasks.removeAll { $0.id == task.id }
        succeeded(task.work)
        update(part.operation) {
            $0.setEvaluation {
                if $0.attentions[position].embeddings.isEmpty {
                    $0.attentions[position].embeddings = [Float](
                        repeating: 0, count: attention.missing.count * width)
                }
                $0.attentions[position].embeddings.replaceSubrange(
                    (range.lowerBound * width)..<(range.upperBound * width), with: values)
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
                $0.series[series].tokens = $0.series[series].tokens.addingSaturated(max(0, tokens))
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

extension ClientRequest.EvaluateRequest {
    /// What makes the request impossible, whatever the cluster holds.
    var objection: ClientError? {
        do {
            try attention?.check()
            return nil
        } catch {
            return ClientError(code: "invalid-request", message: "\(error)")
        }
    }
}

extension Evaluation {
    init(_ request: ClientRequest.EvaluateRequest) {
        self.init(
            split: request.split, compare: request.compare, parameters: request.attention,
            aggregatesOnly: request.aggregatesOnly)
    }

    /// The same request, nothing done of it.
    var anew: Evaluation {
        Evaluation(split: split, compare: compare, parameters: parameters, aggregatesOnly: aggregatesOnly)
    }

    /// Whether embedding parts are still to be given out.
    func isEmbedding(_ scope: AttentionScope) -> Bool {
        todo.contains { if case .embed(scope, _) = $0 { true } else { false } }
    }

    /// Whether every series is complete, and none is still to come.
    var isScored: Bool {
        let weightsAreThere = attentions.allSatisfy { if case .ready = $0.weights { true } else { false } }
        return weightsAreThere && done == parts
    }
}

extension CoordinatorTask {
    func isEmbedding(_ scope: AttentionScope, for operation: Operation) -> Bool {
        guard case .part(let part) = kind, case .embed(scope, _) = part.item else { return false }
        return part.operation == operation.id && part.generation == operation.generation
    }
}
