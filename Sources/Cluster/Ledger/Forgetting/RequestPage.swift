import Foundation
import GRDB
import Messages
import Unlearning

extension RequestsReply.Request {
    /// A page of the forget requests, in the order in which they came; neither outcomes nor certificates are read.
    static func page(_ db: Database, _ wanted: ClientRequest.RequestsRequest) throws -> [Self] {
        var conditions = "number > ?"
        var arguments: [any DatabaseValueConvertible] = [wanted.after]
        if wanted.pendingOnly { conditions += " AND finished IS NULL" }
        if let named = wanted.named {
            conditions += " AND id = ?"
            arguments.append(named)
        }
        return try Row.fetchAll(
            db,
            sql: """
                SELECT number, id, method, bridge, received, finished FROM forget_requests
                WHERE \(conditions) ORDER BY number LIMIT ?
                """, arguments: StatementArguments(arguments + [wanted.limit])
        ).map(Self.init(row:))
    }

    private init(row: Row) throws {
        let table = "forget_requests"
        let finished = try row.optionalDate("finished", in: table)
        let method: ForgetMethod = try row.choice("method", in: table)
        let bridge: ApproximateMethod? = try row.optionalChoice("bridge", in: table)
        self.init(
            number: try row.count("number", in: table), request: try row.value("id", in: table),
            state: finished == nil ? .pending : .finished, method: method.rawValue, bridge: bridge?.rawValue,
            received: try row.date("received", in: table).iso8601, finished: finished?.iso8601)
    }
}
