extension WireNumbers {
    package func check(_ request: ClientRequest) throws(WireError) {
        switch request {
        case .importRows(let rows):
            try check(rows.sequence, WireLimits.batches, "sequence")
            try checkFinite(rows.interactions.map(\.rating), "rating")
        case .finishImport(let finish):
            try check(finish.batches, WireLimits.batches, "batches")
            try checkCount(
                finish.leavers?.count ?? 0, 0...ClientRequest.FinishImport.mostLeavers, "leavers")
        case .query(let query):
            if let top = query.top { try check(top, WireLimits.top, "top") }
            if let limit = query.limit { try check(limit, WireLimits.top, "limit") }
            if let candidates = query.candidates { try check(candidates, WireLimits.chosen, "candidates") }
            try checkCount(query.items.count, WireLimits.candidates, "items")
            try checkCount(query.history?.count ?? 0, WireLimits.history, "ratings of the history")
            try checkFinite(query.history?.map(\.rating) ?? [], "rating")
            try checkCount(query.filter?.exclude.count ?? 0, WireLimits.candidates, "excluded items")
            let conditions = query.filter?.conditions ?? []
            try checkCount(conditions.count, WireLimits.conditions, "conditions")
            try checkFinite(conditions.flatMap { [$0.minimum, $0.maximum].compactMap(\.self) }, "a condition's bound")
        case .serving(.question(let query)): try check(.query(query))
        case .serving, .train, .forget, .evaluate, .compare, .status, .configuration, .operation, .adapters,
            .lineage,
            .exportAdapter, .access, .dropImport, .order, .stop:
            break
        case .comparedCases(let wanted):
            try checkCount(wanted.known.count, 0...ComparisonOptions.largestKept, "known")
        case .verify(let wanted):
            switch wanted.stages {
            case .named(let stages):
                try checkCount(stages.count, 1...ClientRequest.StageChoice.most, "stages")
                for stage in stages {
                    // What there is not is refused with the cluster's own numbers.
                    try check(stage.shard, 0...Int(Int32.max), "shard")
                    try check(stage.slice, 0...Int(Int32.max), "slice")
                }
            case .drawn(let count, _): try check(count, 1...ClientRequest.StageChoice.most, "stages")
            case nil: break
            }
        case .audit(let audit): try check(audit.after, WireLimits.entries, "after")
        case .requests(let wanted):
            try check(wanted.after, WireLimits.entries, "after")
            try check(wanted.limit, 1...ClientRequest.RequestsRequest.largest, "limit")
        case .forgetCopy(let copy):
            if let shard = copy.shard { try check(shard, WireLimits.shards, "shard") }
        }
    }
}
