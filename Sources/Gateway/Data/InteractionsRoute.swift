import Foundation
import Hummingbird
import Messages
import Recommendation
import ZeroMQ

/// `POST /v1/interactions`: ratings as JSON lines, taken as `lethe import --format jsonl` takes them, while they come in.
struct InteractionsRoute {
    static let mediaTypes = ["application/x-ndjson", "application/jsonl", "application/json-lines"]

    let door: CoordinatorDoor
    let limits: GatewayLimits
    let slots: Slots

    var routes: [Route] {
        [
            Route(
                method: .post, path: "/v1/interactions", access: .roles([.data]),
                query: ["domain", "history", "like_above", "time_unit", "new_data"], endsWithConnection: false,
                handle: take)
        ]
    }

    @Sendable private func take(_ call: Call) async throws -> Response {
        try call.requireMediaType(Self.mediaTypes)
        let settings = try ImportSettings(call.query)
        let key = try ForgettingRoutes.key(of: call)
        guard slots.take(for: call.asker) else { throw Problem.queueFull }
        defer { slots.give(for: call.asker) }
        let pipe = try BodyPipe(limit: limits.importBody)
        async let report = ImportThread(door: door, asker: call.asker, settings: settings, pipe: pipe).run(key: key)
        do {
            for try await buffer in call.request.body { try await pipe.write(Array(buffer.readableBytesView)) }
            await pipe.finish()
        } catch is BodyPipe.NobodyReads {
            // The reader says why.
        } catch {
            await pipe.fail(error as? Problem ?? .brokenOff)
        }
        return .json(try ReplyCoding.show(try await report))
    }
}

/// How the rows become prompts and times, where a query says so.
struct ImportSettings: Sendable {
    var prompts: PromptConfiguration
    var given: [PromptField] = []
    var unit: Timestamps.Form?
    /// To which slices people go who are new; nil: by the hash.
    var people: NewPeople?

    /// - Throws: `Problem` 400.
    init(_ query: [String: String]) throws(Problem) {
        prompts = PromptConfiguration()
        if let domain = query["domain"] {
            guard let noun = try? PromptNoun(parsing: domain) else {
                throw .malformed("the parameter domain must be a noun, or singular:plural, of 1 to 64 characters each")
            }
            prompts.domain = noun
            prompts.likeAbove = noun == .book ? 5 : 3
            given.append(.domain)
        }
        if let history = try query.integer("history", PromptConfiguration.historyBounds) {
            prompts.historyLength = history
            given.append(.history)
        }
        if let text = query["like_above"] {
            guard let number = Double(text), number.isFinite else {
                throw .malformed("the parameter like_above must be a number")
            }
            prompts.likeAbove = number
            given.append(.likeAbove)
        }
        people = try query.choice("new_data", of: NewPeople.allCases.map(\.rawValue)).flatMap(NewPeople.init)
        let units = ["seconds", "milliseconds", "microseconds", "nanoseconds"]
        switch try query.choice("time_unit", of: units) {
        case "seconds": unit = .seconds
        case "milliseconds": unit = .milliseconds
        case "microseconds": unit = .microseconds
        case "nanoseconds": unit = .nanoseconds
        default: unit = nil
        }
    }
}
