import Foundation

/// A forget request with the day by which it has to be finished, as people and HTTP clients see it.
public struct DueRequest: Codable, Sendable, Equatable {
    /// Days after its receipt, unless an operator says otherwise: the month of Article 12 (3) of the GDPR.
    public static let days = 30
    /// What an operator may say.
    public static let dayBounds = 1...3650

    /// In the order of receipt.
    public var number: Int
    public var request: String
    public var state: ForgetRecord.State
    public var method: String
    public var bridge: String?
    /// ISO 8601, UTC, with milliseconds, as all of these times.
    public var received: String
    public var finished: String?
    /// When it has to be finished.
    public var due: String
    /// Whether that is over and it is not finished.
    public var overdue: Bool

    /// - Throws: `ClientError` (`failed`) for a time that is none.
    public init(_ request: RequestsReply.Request, dueDays: Int, now: Date) throws(ClientError) {
        number = request.number
        self.request = request.request
        state = request.state
        method = request.method
        bridge = request.bridge
        received = request.received
        finished = request.finished
        guard let due = request.due(days: dueDays) else {
            throw ClientError(code: .failed, message: "the coordinator names a time of receipt that is none")
        }
        // Text is cut to milliseconds, and most have no exact binary form: they would be one too few.
        self.due = due.addingTimeInterval(0.000_5).iso8601
        overdue = request.finished == nil && now > due
    }
}

extension RequestsReply.Request {
    /// The one place that knows when a request is due; nil: its receipt is no time.
    public func due(days: Int) -> Date? {
        Date(iso8601: received).map { $0.addingTimeInterval(Double(days) * 86_400) }
    }
}
