import Messages

/// Evaluation: the split is scored under the base model, each adapter alone, their mixtures and, to compare, one adapter
/// trained on everything.
///
/// An evaluation is of the adapters that answer when its split is loaded. When data or adapters change it begins anew with
/// those of then, and keeps the margins of adapters and prompts that are still there: no figure rests on an adapter that a
/// forget request took away before the report is given.
///
/// Where forget requests keep coming it ends all the same: after `CoordinatorLimits.freshStarts` it stays with the adapters it
/// has, minus those that are taken away, and after `CoordinatorLimits.evaluationSeconds` it does not wait for the shards of
/// forget requests any more. What attention cannot be weighed for then is left out, and the report says what was measured.
extension Coordinator {
    mutating func advance(_ evaluation: Evaluation, of operation: Operation) {
        switch evaluation.phase {
        case .waiting:
            guard mayRead(operation) else { return }
            update(operation.id) { $0.setPhase(Evaluation.Phase.loading) }
            let request = evaluation.request
            actions.append(.loadSplit(operation: operation.id, request.split, request.attention))
        case .loading: break
        case .scoring(let scoring):
            if let error = exhausted(among: { $0 == .operation(operation.id) }) {
                return failOperation(operation.id, error)
            }
            guard scoring.isComplete else { return }
            update(operation.id) { $0.setPhase(Evaluation.Phase.building(scoring)) }
            actions.append(.buildEvaluation(operation: operation.id, scores(scoring, of: evaluation.request)))
        case .building: break
        }
    }

    private func scores(_ scoring: EvaluationScoring, of request: ClientRequest.EvaluateRequest) -> EvaluationScores {
        EvaluationScores(
            split: request.split, digests: scoring.digests,
            series: scoring.series.map { series in
                let scored = series.sameAs.map { scoring.series[$0] } ?? series
                return EvaluationScores.Series(
                    model: series.model, margins: scored.margins, tokens: scored.tokens, seconds: scored.seconds)
            },
            adapters: scoring.measured, parameters: request.attention, single: scoring.single?.report,
            singleAdapter: scoring.single?.bytes)
    }

    // MARK: what to do

    mutating func splitLoaded(_ id: String, _ result: Result<LoadedSplit, ClientError>) {
        guard let (operation, evaluation) = runningEvaluation(id), case .loading = evaluation.phase else { return }
        switch result {
        case .failure(let error): stop(operation, error)
        case .success(let split) where split.digests.isEmpty:
            failOperation(id, .emptySplit(evaluation.request.split))
        case .success(let split):
            let weighsByRows = evaluation.request.attention.map { $0.tau != 0 } ?? snapshot.weighsByRows
            let pinned = evaluation.pinned.map { Set($0.map(\.name)) }
            let active = activeAdapters(weighingByRows: weighsByRows).filter { pinned?.contains($0.name) ?? true }
            guard pinned == nil || !active.isEmpty else { return restart(id) }
            var scoring = EvaluationScoring(
                digests: split.digests, adapters: active.filter(\.carriesWeight), measured: active)
            for scope in AttentionScope.allCases
            where split.looksAtQuery && settings.mixtures.contains(where: { $0.attention == scope })
                && !scoring.adapters.isEmpty && !evaluation.leavesOutAttention
            {
                let missing = scope == .prompt ? split.missingEmbeddings : split.digests
                scoring.attentions.append(EvaluationScoring.Attention(scope: scope, missing: missing))
            }
            let kept = evaluation.kept
            // Whose adapters are taken away again and again is measured by each adapter alone.
            let isMixed = !scoring.adapters.isEmpty && operation.generation < CoordinatorLimits.restarts
            let mixtures = settings.mixtures.filter { mixture in
                isMixed && !(evaluation.leavesOutAttention && split.looksAtQuery && mixture.attention != nil)
            }
            let adapters = active.map {
                EvaluationScores.Series.Model.adapter(shard: $0.shard, name: $0.name)
            }
            if !evaluation.request.aggregatesOnly {
                for model in [.base] + adapters { add(model, to: &scoring, kept, mayScore: true) }
            }
            for mixture in mixtures { add(mixture, to: &scoring, kept, looksAtQuery: split.looksAtQuery) }
            for attention in scoring.attentions {
                let chunks = chunks(of: attention.missing.count).map {
                    OperationPart.Item.embed(attention.scope, $0)
                }
                scoring.todo.insert(contentsOf: chunks, at: 0)
                scoring.parts += chunks.count
            }
            if evaluation.request.compare, snapshot.trainingPrompts > 0 {
                if let single = kept?.single, single.basis == trainingBasis {
                    scoring.single = single
                    add(.single(name: single.report.adapter), to: &scoring, kept, mayScore: true)
                } else {
                    scoring.todo.append(.single)
                    scoring.parts += 1
                }
            }
            update(id) { $0.setPhase(Evaluation.Phase.scoring(scoring)) }
            computeWeightsIfReady(id)
        }
    }

    /// With attention the weights have to come first. Equal weights make every scope the same: one series is scored for all.
    private func add(
        _ mixture: CoordinatorSettings.EvaluationMixture, to scoring: inout EvaluationScoring, _ kept: KeptScores?,
        looksAtQuery: Bool
    ) {
        let twin = scoring.series.firstIndex { series in
            guard case .aggregate(mixture.rule, _) = series.model else { return false }
            return !looksAtQuery
        }
        add(
            .aggregate(rule: mixture.rule, attention: mixture.attention), to: &scoring, kept,
            mayScore: twin == nil && (mixture.attention == nil || !looksAtQuery))
        scoring.series[scoring.series.count - 1].sameAs = twin
    }

    /// Adds a series with what is known of it, and the parts that score the rest if nothing else has to come first.
    private func add(
        _ model: EvaluationScores.Series.Model, to scoring: inout EvaluationScoring, _ kept: KeptScores?, mayScore: Bool
    ) {
        var series = EvaluationScoring.Series(
            model: model, margins: [Float](repeating: 0, count: scoring.digests.count),
            isScored: [Bool](repeating: false, count: scoring.digests.count))
        if mayScore, let known = kept?.series(of: model, in: scoring) {
            for (position, digest) in scoring.digests.enumerated() {
                guard let margin = known.margins[digest] else { continue }
                (series.margins[position], series.isScored[position]) = (margin, true)
            }
            (series.tokens, series.seconds) = (known.tokens, known.seconds)
        }
        scoring.series.append(series)
        if mayScore { scheduleScoring(of: scoring.series.count - 1, in: &scoring) }
    }

    /// Chunks of prompts without a margin.
    private func scheduleScoring(of series: Int, in scoring: inout EvaluationScoring) {
        let isScored = scoring.series[series].isScored
        let size = chunkSize(of: isScored.count { !$0 })
        var begin = 0
        while let start = isScored[begin...].firstIndex(of: false) {
            let end = isScored[start...].firstIndex(of: true) ?? isScored.count
            let chunks = stride(from: start, to: end, by: size).map { $0..<min($0 + size, end) }
            scoring.todo += chunks.map { .score(series: series, $0) }
            scoring.parts += chunks.count
            begin = end
        }
    }

    /// What a training on everything rests on.
    var trainingBasis: [String] { snapshot.shards.map(\.manifest) }

    private func chunks(of count: Int) -> [Range<Int>] {
        let size = chunkSize(of: count)
        return stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
    }

    private mutating func computeWeightsIfReady(_ id: String) {
        guard let (operation, evaluation) = runningEvaluation(id), let scoring = operation.scoring else { return }
        for (position, attention) in scoring.attentions.enumerated() {
            guard case .waitingForEmbeddings(let embeddings) = attention.weights,
                !scoring.isEmbedding(attention.scope),
                !tasks.contains(where: { $0.isEmbedding(attention.scope, for: operation) })
            else { continue }
            update(id) { $0.setScoring { $0.attentions[position].weights = .computing } }
            actions.append(
                .computeWeights(
                    operation: id,
                    WeightsRequest(
                        scope: attention.scope, generation: operation.generation, digests: scoring.digests,
                        embeddings: embeddings, adapters: scoring.adapters.map(\.name),
                        parameters: evaluation.request.attention)))
        }
    }

    mutating func weightsComputed(
        _ id: String, _ generation: Int, _ scope: AttentionScope, _ result: Result<[Float], ClientError>
    ) {
        guard let (operation, evaluation) = runningEvaluation(id), operation.generation == generation,
            var scoring = operation.scoring,
            let position = scoring.attentions.firstIndex(where: { $0.scope == scope }),
            case .computing = scoring.attentions[position].weights
        else { return }
        switch result {
        case .failure(let error) where error.code == .stale && evaluation.pinned != nil:
            update(id) {
                guard case .evaluate(var evaluation) = $0.course else { return }
                evaluation.leavesOutAttention = true
                $0.course = .evaluate(evaluation)
            }
            restart(id)
        case .failure(let error): stop(operation, error)
        case .success(let weights):
            guard weights.count == scoring.digests.count * scoring.adapters.count else {
                return failOperation(id, .badReport)
            }
            scoring.attentions[position].weights = .ready(weights)
            for (position, series) in scoring.series.enumerated() {
                guard case .aggregate(_, scope) = series.model else { continue }
                scheduleScoring(of: position, in: &scoring)
            }
            update(id) { $0.setScoring { $0 = scoring } }
        }
    }

    mutating func singleTrained(_ operation: Operation, report: TrainingReport, adapter: [UInt8]) {
        guard var scoring = operation.scoring else { return }
        // Of an adapter that answers nothing there is no use for what it passed.
        var report = report
        report.slices?.stages = nil
        scoring.single = EvaluationScoring.Single(report: report, bytes: adapter, basis: trainingBasis)
        scoring.done += 1
        add(.single(name: report.adapter), to: &scoring, nil, mayScore: true)
        update(operation.id) { $0.setScoring { $0 = scoring } }
    }

    func message(for item: OperationPart.Item, of scoring: EvaluationScoring, task: TaskID) -> Dispatch? {
        switch item {
        case .embed(let scope, let range):
            guard let attention = scoring.attentions.first(where: { $0.scope == scope }) else { return nil }
            return .embed(
                task: task, source: settings.configuration.embedding, scope: scope,
                digests: Array(attention.missing[range]))
        case .single:
            return .replay(task: task, specification: settings.configuration.training, .everything)
        case .score(let series, let range):
            let model = scoring.series[series].model
            let adapters = scoring.adapters(of: model)
            var weights: [Float] = []
            var rule = settings.configuration.rule
            if case .aggregate(let asked, let attention) = model {
                rule = asked
                if case .ready(let all) = scoring.attentions.first(where: { $0.scope == attention })?.weights {
                    let width = adapters.count
                    weights = Array(all[(range.lowerBound * width)..<(range.upperBound * width)])
                }
            }
            return .score(
                task: task, rule: rule, adapters: adapters, weights: weights, digests: Array(scoring.digests[range]))
        case .replay, .compare: return nil
        }
    }

    // MARK: answers

    mutating func embedded(
        _ part: OperationPart, values: [Float], task: CoordinatorTask, by worker: KnownWorker
    ) {
        guard isCurrent(part), case .embed(let scope, let range) = part.item,
            let scoring = operation(part.operation)?.scoring,
            let position = scoring.attentions.firstIndex(where: { $0.scope == scope }),
            case .waitingForEmbeddings = scoring.attentions[position].weights
        else { return failed(task.id, .badReport, by: worker) }
        let width = settings.embeddingWidth
        guard values.count == width * range.count, values.allSatisfy(\.isFinite) else {
            return failed(task.id, .badReport, by: worker)
        }
        tasks.remove(task.id)
        succeeded(task.work)
        update(part.operation) {
            $0.setScoring {
                $0.attentions[position].take(values, at: (range.lowerBound * width)..<(range.upperBound * width), width)
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
        tasks.remove(task.id)
        succeeded(task.work)
        update(part.operation) {
            $0.setScoring {
                $0.series[series].margins.replaceSubrange(range, with: margins)
                for position in range { $0.series[series].isScored[position] = true }
                $0.series[series].tokens = $0.series[series].tokens.addingSaturated(max(0, tokens))
                $0.series[series].seconds += seconds.isFinite ? max(0, seconds) : 0
                $0.done += 1
            }
        }
    }

    mutating func evaluationBuilt(_ id: String, _ result: Result<[UInt8], ClientError>) {
        guard let (operation, evaluation) = runningEvaluation(id), case .building = evaluation.phase else { return }
        switch result {
        case .success(let report): endOperation(id, .evaluation(report))
        case .failure(let error): stop(operation, error)
        }
    }

    private func runningEvaluation(_ id: String) -> (Operation, Evaluation)? {
        guard let operation = operation(id), operation.state == .running,
            case .evaluate(let evaluation) = operation.course
        else { return nil }
        return (operation, evaluation)
    }

    /// Data that went away meanwhile means to start anew; anything else is an error for the client.
    private mutating func stop(_ operation: Operation, _ error: ClientError) {
        if error.code == .stale { restart(operation.id) } else { failOperation(operation.id, error) }
    }
}

extension ClientRequest.EvaluateRequest {
    /// What makes the request impossible, whatever the cluster holds.
    var objection: ClientError? {
        do {
            try attention?.check()
            return nil
        } catch {
            return ClientError(code: .invalidRequest, message: "\(error)")
        }
    }
}

extension CoordinatorTask {
    func isEmbedding(_ scope: AttentionScope, for operation: Operation) -> Bool {
        guard case .part(let part) = kind, case .embed(scope, _) = part.item else { return false }
        return part.operation == operation.id && part.generation == operation.generation
    }
}
