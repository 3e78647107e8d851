/// Counts values that are no finite numbers, tensor by tensor, while weights are read anyway.
final class FiniteCensus {
    private var found: [NonFiniteTensor] = []

    func look(at values: [Float], of name: String) {
        // The sum of v − v is zero, or no number where a value is none: no branch, so that it costs no time.
        var sum: Float = 0
        for value in values { sum += value - value }
        guard sum != 0 else { return }
        found.append(NonFiniteTensor(name: name, values: values.count { !$0.isFinite }))
    }

    /// - Throws: `LanguageModelError.weightsNotFinite`.
    func refuse() throws {
        guard found.isEmpty else { throw LanguageModelError.weightsNotFinite(tensors: found) }
    }
}

extension Checkpoint {
    /// Reads every weight.
    ///
    /// - Throws: `LanguageModelError.weightsNotFinite`, with every tensor that has such values.
    public func requireFiniteWeights() throws {
        let census = FiniteCensus()
        for (name, _) in configuration.expectedTensors { census.look(at: try floats(of: name), of: name) }
        try census.refuse()
    }
}
