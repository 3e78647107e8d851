/// Rows of one of the matrices that a file stacks, and of all of them.
struct StackedRows {
    var range: Range<Int>
    var total: Int
}

extension ModelConfiguration {
    /// Phi 3 stacks query, key and value, and gate and up: the tensor and the rows in which a site's weights lie there.
    func fusedSource(of name: String) -> (source: String, rows: StackedRows)? {
        let (query, keys) = (heads * headDimension, keyValueHeads * headDimension)
        let parts: [(site: LinearSite, module: String, rows: Range<Int>)] = [
            (.query, "self_attn.qkv_proj", 0..<query), (.key, "self_attn.qkv_proj", query..<query + keys),
            (.value, "self_attn.qkv_proj", query + keys..<query + 2 * keys),
            (.gate, "mlp.gate_up_proj", 0..<intermediate), (.up, "mlp.gate_up_proj", intermediate..<2 * intermediate),
        ]
        for part in parts where name.hasSuffix(".\(part.site.module).weight") {
            let total = [.gate, .up].contains(part.site) ? 2 * intermediate : query + 2 * keys
            return (
                String(name.dropLast("\(part.site.module).weight".count)) + "\(part.module).weight",
                StackedRows(range: part.rows, total: total)
            )
        }
        return nil
    }
}
