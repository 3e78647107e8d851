import Foundation
import Messages

/// A forget request as HTTP clients see it.
struct RequestView: Encodable {
    /// In the order of receipt.
    var number: Int
    var request: String
    /// pending or finished.
    var state: String
    var method: String
    var bridge: String?
    /// ISO 8601, UTC.
    var received: String
    var finished: String?
    /// When it has to be finished: so many days after its receipt.
    var due: String
    /// Whether that is over and it is not finished.
    var overdue: Bool

    /// - Throws: `Problem` 500 for a time that is none.
    init(_ request: RequestsReply.Request, dueDays: Int, now: Date) throws {
        number = request.number
        self.request = request.request
        state = request.state.rawValue
        method = request.method
        bridge = request.bridge
        received = request.received
        finished = request.finished
        guard let received = Date(gatewayTime: request.received) else { throw Problem.internalError }
        let due = received.addingTimeInterval(Double(dueDays) * 86_400)
        self.due = due.gatewayTime
        overdue = request.finished == nil && now > due
    }
}

extension Date {
    /// ISO 8601 in UTC with milliseconds, as the coordinator writes times.
    private static let gatewayStyle = ISO8601FormatStyle(includingFractionalSeconds: true)

    var gatewayTime: String { formatted(Self.gatewayStyle) }

    init?(gatewayTime text: String) {
        guard let date = try? Date(text, strategy: Self.gatewayStyle) else { return nil }
        self = date
    }
}
