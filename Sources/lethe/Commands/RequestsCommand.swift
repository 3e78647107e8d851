import ArgumentParser
import Client
import Foundation
import Messages
import Unlearning

struct RequestsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "requests",
        abstract: "List forget requests and when they are due.",
        discussion: """
            In the order of their receipt. A request has to be finished --due-days after that, as a gateway counts too; one that \
            is not is overdue. What it still waits for is said by `lethe status`; its certificate is printed by `lethe forget`, \
            once more with the same targets and its --request-id.
            """)

    @Flag(help: "Only those that are not finished.")
    var pending = false

    @Option(help: "Only the one of this id.")
    var id: String?

    @Option(help: "Days after its receipt at which a request is due, \(DueRequest.dayBounds.inWords).")
    var dueDays = DueRequest.days

    @OptionGroup var client: ClientOptions

    func validate() throws {
        guard DueRequest.dayBounds.contains(dueDays) else {
            throw ValidationError("--due-days must be \(DueRequest.dayBounds.inWords)")
        }
        guard !pending || id == nil else { throw ValidationError("--id names one request: leave --pending out") }
    }

    func run() throws {
        try client.withClient { coordinator in
            let now = Date()
            let listed = try listed(by: coordinator).map { try DueRequest($0, dueDays: dueDays, now: now) }
            try client.output.emit(Summary(dueDays: dueDays, requests: listed)) {
                RequestsText(listed, pending: pending).text(width: Terminal.output.width)
            }
        }
    }

    private struct Summary: Encodable {
        var dueDays: Int
        var requests: [DueRequest]
    }

    private func listed(by coordinator: CoordinatorClient) throws -> [RequestsReply.Request] {
        if let id {
            let unknown = ClientError(code: .unknownRequest, message: "no forget request \(id.clipped)")
            guard ClientName.objection(to: id, of: "a request") == nil else { throw unknown }
            let found = try ask(coordinator, .init(after: 0, limit: 1, named: id))
            guard !found.isEmpty else { throw unknown }
            return found
        }
        var found: [RequestsReply.Request] = []
        while true {
            let page = try ask(coordinator, .init(after: found.last?.number ?? 0, pendingOnly: pending))
            found += page
            if page.count < ClientRequest.RequestsRequest.largest { return found }
        }
    }

    private func ask(
        _ coordinator: CoordinatorClient, _ request: ClientRequest.RequestsRequest
    ) throws -> [RequestsReply.Request] {
        try ReplyCoding.decode(RequestsReply.self, from: coordinator.call(.requests(request)).body).requests
    }
}

/// Forget requests for people.
package struct RequestsText {
    private let requests: [DueRequest]
    private let pending: Bool

    /// - `pending`: whether only those were asked for that are not finished.
    package init(_ requests: [DueRequest], pending: Bool) {
        self.requests = requests
        self.pending = pending
    }

    package func text(width: Int) -> String {
        guard !requests.isEmpty else { return pending ? "no forget request is pending" : "no forget requests" }
        let rows = requests.map { request in
            [
                request.request.printable, request.overdue ? "overdue" : request.state.rawValue,
                Self.minute(request.received), String(request.due.prefix(10)),
            ]
        }
        return Table([["request", "state", "received (UTC)", "due"]] + rows).text(width: width)
    }

    /// "2026-01-02T03:04:05.000Z" as "2026-01-02 03:04".
    private static func minute(_ time: String) -> String { String(time.prefix(16)).replacing("T", with: " ") }
}
