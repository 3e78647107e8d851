import Foundation
import GRDB

extension Ledger {
    /// From here on embeddings of another width than the base model's are refused. Stored ones of another width (an older
    /// version took the first that came for right) are dropped, and missing again where they are needed.
    ///
    /// - `width`: the model's hidden size.
    package func requireEmbeddings(ofWidth width: Int, at time: Date) throws {
        embeddingWidth = width
        guard let stored = try read({ try Meta.embeddingWidth.value(Int.self, $0) }), stored != width else { return }
        try commit { db in
            let context = try promptContext(db)
            var dropped = 0
            try forEachPerson(where: "id IN (SELECT person FROM embeddings)", db) { known in
                dropped += try embeddings(of: known.id, known.key, db)?.values.count ?? 0
                try write(embeddings: nil, of: known.id, prompts: prompts(of: known, context), known.key, db)
            }
            try Meta.embeddingWidth.remove(db)
            try audit(db, "embeddings dropped", ["width": width, "dropped": dropped], at: time)
        }
    }
}
