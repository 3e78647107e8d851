import Unlearning

/// What a correction measured; no more is claimed of it.
public enum MeasuredCorrection: Hashable, Sendable {
    /// - trial: what the preparation's second training, without some prompts, showed of corrections; nil: none was made.
    /// - forgotten: how the margins of the prompts that had to go were predicted to change; nil: none of them had a row.
    case ifru(trial: InfluenceCalibration?, forgotten: MarginChange?)
    /// Mean loss of the first and of the last epoch, in nats, on the forget set and on pairs of batches.
    case e2urec(forgetLosses: [Double], pairLosses: [Double])

    package init?(_ correction: CorrectionReport) {
        if let report = correction.ifru {
            self = .ifru(trial: report.calibration, forgotten: report.forgottenMargins)
        } else if let report = correction.e2urec {
            self = .e2urec(forgetLosses: report.forgetLosses, pairLosses: report.pairLosses)
        } else {
            return nil
        }
    }
}

extension MeasuredCorrection: Codable {
    private enum CodingKeys: String, CodingKey { case trial, forgottenMargins, forgetLosses, pairLosses }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let losses = try container.decodeIfPresent([Double].self, forKey: .forgetLosses) {
            self = .e2urec(forgetLosses: losses, pairLosses: try container.decode([Double].self, forKey: .pairLosses))
        } else {
            self = .ifru(
                trial: try container.decodeIfPresent(InfluenceCalibration.self, forKey: .trial),
                forgotten: try container.decodeIfPresent(MarginChange.self, forKey: .forgottenMargins))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .ifru(let trial, let forgotten):
            try container.encodeIfPresent(trial, forKey: .trial)
            try container.encodeIfPresent(forgotten, forKey: .forgottenMargins)
        case .e2urec(let forgetLosses, let pairLosses):
            try container.encode(forgetLosses, forKey: .forgetLosses)
            try container.encode(pairLosses, forKey: .pairLosses)
        }
    }
}
