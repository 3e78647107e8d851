import Foundation
import Messages

/// What the cluster says of itself, asked at most once a second however many look.
actor ClusterView {
    struct Seen: Sendable {
        /// The coordinator's status, as it wrote it.
        var body: Data
        var status: StatusReply
        /// Oldest first; at most `pendingShown`.
        var pending: [RequestsReply.Request]
        /// The last ones, newest first.
        var latest: [RequestsReply.Request]
        var auditHead: AuditReply.Entry?
    }

    static let pendingShown = 20
    /// How old an answer may be that is told again.
    static let age = Duration.seconds(1)

    private let door: CoordinatorDoor
    private let clock = ContinuousClock()
    private var last: (at: ContinuousClock.Instant, result: Result<Seen, any Error>)?
    private var asking: Task<Result<Seen, any Error>, Never>?

    init(_ door: CoordinatorDoor) { self.door = door }

    /// - Throws: `Problem` or `ClientError`, also told again for a second.
    func seen() async throws -> Seen {
        if let last, clock.now - last.at < Self.age { return try last.result.get() }
        if let asking { return try await asking.value.get() }
        let door = door
        let task = Task { () -> Result<Seen, any Error> in
            do {
                return .success(try await Self.ask(door))
            } catch {
                return .failure(error)
            }
        }
        asking = task
        let result = await task.value
        (last, asking) = ((clock.now, result), nil)
        return try result.get()
    }

    private static func ask(_ door: CoordinatorDoor) async throws -> Seen {
        let body = try await ask(door, .status)
        let status = try ReplyCoding.decode(StatusReply.self, from: body)
        let (requests, entries) = (status.statistics.forgetRequests, status.statistics.auditEntries)
        let pending = try await ask(door, .requests(.init(after: 0, limit: pendingShown, pendingOnly: true)))
        let latest = try await ask(door, .requests(.init(after: max(0, requests - pendingShown))))
        let audit = try await ask(door, .audit(.init(after: max(0, entries - 1))))
        return Seen(
            body: body, status: status,
            pending: try ReplyCoding.decode(RequestsReply.self, from: pending).requests,
            latest: try ReplyCoding.decode(RequestsReply.self, from: latest).requests.reversed(),
            auditHead: try ReplyCoding.decode(AuditReply.self, from: audit).entries.last)
    }

    private static func ask(_ door: CoordinatorDoor, _ request: ClientRequest) async throws -> Data {
        try await door.ask(request, on: .view, deadline: .seconds(5), patience: .seconds(3))
    }
}
