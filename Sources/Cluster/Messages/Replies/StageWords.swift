import Unlearning

/// How everybody is told that an adapter is a stage: what a training had come to before its last slices, until it is done.
package enum StageWords {
    /// "stage 2 of 4, exact": what training on its slices' retained data gives, bit for bit.
    ///
    /// - `slices`: nil: whoever answers is of an older release, which does not say.
    package static func text(_ stage: Int, of slices: Int?) -> String {
        "stage \(stage)" + (slices.map { " of \($0)" } ?? "") + ", exact"
    }
}

extension TrainingReport {
    /// "stage 2 of 4, exact"; nil: the adapter is no stage.
    package var stageText: String? {
        slices.flatMap { slices in slices.stage.map { StageWords.text($0, of: slices.count) } }
    }

    /// "apa", "ifru (approximate)", "apa (stage 2 of 4, exact)".
    package var methodText: String {
        method.rawValue + (isExact ? stageText.map { " (\($0))" } ?? "" : " (approximate)")
    }
}
