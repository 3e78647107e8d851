import Files
import Foundation
import GRDB
import Messages

extension Ledger {
    /// Begins a start of the coordinator: takes the next generation, durable when this returns.
    ///
    /// - `takeOver`: an operator says that this data directory is the right one although a later coordinator of the
    ///   cluster was seen: then it comes after every generation that either of them had.
    /// - Throws: `LedgerError.superseded` when an earlier run learned that it was superseded, unless it takes over.
    package func raiseGeneration(takeOver: Bool = false, at time: Date) throws -> Generation {
        try commit { db in
            let last = try Meta.generation.value(Generation.self, db)
            let other = try Meta.supersededBy.value(Generation.self, db)
            if let other, !takeOver { throw LedgerError.superseded(by: other.counter) }
            let highest = max(last?.counter ?? 0, other?.counter ?? 0)
            guard Generation.counters.contains(highest + 1) else {
                throw LedgerError.corrupt(table: "meta", column: "value", reason: "holds no possible generation")
            }
            var random = SystemRandomNumberGenerator()
            let nonce = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) }.hexadecimal
            // Without a list every smaller counter counts as an ancestor, those of the other line too.
            let earlier = other == nil ? last.map { [$0.nonce] + $0.earlier } ?? [] : []
            let bytes = Generation.signedBytes(cluster: cluster, counter: highest + 1, nonce: nonce)
            let generation = Generation(
                counter: highest + 1, nonce: nonce, earlier: Array(earlier.prefix(Generation.ancestors)),
                signature: Array(try signingKey.signature(for: bytes)).hexadecimal)
            try Meta.generation.set(generation, db)
            try Meta.supersededBy.remove(db)
            try audit(
                db, "start", StartDetail(generation: generation.counter, tookOver: other?.counter), at: time)
            return generation
        }
    }

    /// Remembers that another coordinator of the cluster came after this one: this directory does not start again by itself.
    package func noteSuperseded(by other: Generation, at time: Date) throws {
        try commit { db in
            try Meta.supersededBy.set(other, db)
            try audit(db, "superseded", ["by": other.counter], at: time)
        }
    }

    private struct StartDetail: Encodable {
        var generation: Int
        var tookOver: Int?
    }
}
