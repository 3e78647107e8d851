/// What of the catalogue is ranked where no items are named, as clients offer it.
public enum CatalogueRanking: Hashable, Sendable {
    /// All of it if that is at most `WireLimits.ranked` items; else candidates that are chosen, as many as one wants to see and
    /// `WireLimits.usuallyChosen` at least.
    case usual
    /// All of it if that is at most so many items; more are refused.
    case whole(atMost: Int)
    /// So many candidates that are chosen; all of it if that is at most `limit` items.
    case chosen(Int, limit: Int?)

    /// As a question says it, whose best `top` are wanted.
    public func bounds(top: Int) -> (limit: Int?, candidates: Int?) {
        switch self {
        case .usual:
            let candidates = min(max(top, WireLimits.usuallyChosen), WireLimits.chosen.upperBound)
            return (WireLimits.ranked, candidates)
        case .whole(let limit): return (limit, nil)
        case .chosen(let candidates, let limit): return (limit, candidates)
        }
    }
}

extension ClientRequest.QueryRequest {
    /// Of the catalogue.
    public init(
        user: String, ranking: CatalogueRanking, top: Int, explain: Bool? = nil, history: [GivenRating]? = nil,
        filter: ItemFilter? = nil
    ) {
        let (limit, candidates) = ranking.bounds(top: top)
        self.init(
            user: user, items: [], top: top, explain: explain, limit: limit, history: history, filter: filter,
            candidates: candidates)
    }
}
