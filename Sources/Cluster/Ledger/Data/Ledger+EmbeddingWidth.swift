import Foundation
import GRDB

extension Ledger {
    /// From here on embeddings of another width than the base model's are refused. Stored ones of another width (an older
    /// version took the first that came for right) are dropped, and missing again where they are needed.
    ///
    /// - `width`: the model's hidden size.
    package func requireEmbeddings(ofWidth width: Int, at time: Date) throws {
        embeddingWidth = width
        let wrong = try read { db in
            try Int64.fetchAll(
                db, sql: "SELECT prompt FROM embeddings WHERE LENGTH(vector) <> ? ORDER BY prompt",
                arguments: [width * 4])
        }
        guard !wrong.isEmpty else { return }
        try commit { db in
            let drop = try db.makeStatement(sql: "DELETE FROM embeddings WHERE prompt = ?")
            let mark = try db.makeStatement(sql: "UPDATE prompts SET needs_embedding = 1 WHERE id = ?")
            for prompt in wrong {
                try drop.execute(arguments: [prompt])
                try mark.execute(arguments: [prompt])
            }
            try audit(db, "embeddings dropped", ["width": width, "dropped": wrong.count], at: time)
        }
    }
}
