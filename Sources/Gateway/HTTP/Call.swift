import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// One HTTP request on its way to a handler.
struct Call: Sendable {
    var request: Request
    /// What the path's placeholders hold.
    var parameters: [String: String] = [:]
    /// What the query holds of what the route knows.
    var query: [String: String] = [:]
    /// nil: nobody must show a token here.
    var identity: Identity?
    /// Whose it is, as far as fairness goes: the token's, or without tokens the connection's. Empty: nobody's.
    var asker = ""
    /// Whether who asked may still ask: tokens may go while a long answer is on its way.
    var isStillAdmitted: @Sendable () -> Bool = { true }
    /// Whether anybody reads a long answer, as far as the connection tells.
    var isStillThere: @Sendable () -> Bool = { true }
    /// Shared by all that are read.
    var bodies = BodyBudget(limit: GatewayLimits().bodies)
    /// What the answer has to pass when it goes out.
    var passage = Passage()

    /// The header's value; nil: it is not there, or not text.
    func header(_ name: String) -> String? {
        HTTPField.Name(name).flatMap { request.headers[$0] }
    }

    /// The kind of the body, in small letters, without parameters.
    var mediaType: String? {
        request.headers[.contentType].map { value in
            value.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
        }
    }

    func requireMediaType(_ wanted: [String]) throws(Problem) {
        let isPlain = ["", "identity"].contains(request.headers[.contentEncoding]?.lowercased() ?? "")
        guard let mediaType, wanted.contains(mediaType), isPlain else { throw .mediaType(wanted: wanted) }
    }

    /// The whole body as JSON.
    ///
    /// - Throws: `Problem` 400, 408, 413, 415 or 429.
    func json(limit: Int) async throws -> JSONValue {
        try requireMediaType(["application/json"])
        if let length = request.headers[.contentLength].flatMap(Int.init), length > limit {
            throw Problem.tooLarge(limit: limit)
        }
        // Until it is understood.
        let share = bodies.share(of: asker)
        defer { withExtendedLifetime(share) {} }
        var bytes: [UInt8] = []
        do {
            for try await buffer in request.body {
                guard bytes.count + buffer.readableBytes <= limit else { throw Problem.tooLarge(limit: limit) }
                try share.hold(bytes.count + buffer.readableBytes)
                bytes += buffer.readableBytesView
            }
        } catch {
            throw error as? Problem ?? .brokenOff
        }
        return bytes.count > Self.short ? try await Self.parsed(aside: bytes) : try JSONValue.parse(bytes)
    }

    /// Bytes that are parsed at once. Megabytes take long enough to keep every other request, and answers on their way out, from
    /// the threads that all tasks share.
    private static let short = 64 << 10
    private static let parsing = DispatchQueue(label: "lethe.gateway.parsing")

    private static func parsed(aside bytes: [UInt8]) async throws -> JSONValue {
        let result: Result<JSONValue, any Error> = await withCheckedContinuation { continuation in
            parsing.async { continuation.resume(returning: Result { try JSONValue.parse(bytes) }) }
        }
        return try result.get()
    }

    /// The query's values by name.
    ///
    /// - Throws: `Problem` 400 for a name that is not known here, or that is there twice.
    static func query(of request: Request, _ known: Set<String>) throws(Problem) -> [String: String] {
        var values: [String: String] = [:]
        for pair in (request.uri.query ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
                $0.replacing("+", with: " ").removingPercentEncoding
            }
            guard let name = parts[0], let value = parts.count == 1 ? "" : parts[1] else {
                throw .malformed("the query is no text in UTF-8")
            }
            guard known.contains(name) else { throw .malformed("nobody knows the parameter \(name.prefix(40))") }
            guard values.updateValue(value, forKey: name) == nil else {
                throw .malformed("the parameter \(name) is there twice")
            }
        }
        return values
    }
}

extension [String: String] {
    /// Of query parameters.
    func integer(_ name: String, _ bounds: ClosedRange<Int>) throws(Problem) -> Int? {
        guard let text = self[name] else { return nil }
        guard let number = Int(text), bounds.contains(number) else {
            throw .malformed(
                "the parameter \(name) must be a whole number from \(bounds.lowerBound) to \(bounds.upperBound)")
        }
        return number
    }

    func choice(_ name: String, of choices: [String]) throws(Problem) -> String? {
        guard let text = self[name] else { return nil }
        guard choices.contains(text) else {
            throw .malformed("the parameter \(name) must be one of \(choices.joined(separator: ", "))")
        }
        return text
    }
}

extension Response {
    /// Nothing that the gateway says may be kept by anybody on its way.
    init(_ status: HTTPResponse.Status, _ mediaType: String, _ body: Data, _ more: HTTPFields = [:]) {
        var headers = more
        headers[.contentType] = mediaType
        if headers[.cacheControl] == nil { headers[.cacheControl] = "no-store" }
        headers[.xContentTypeOptions] = "nosniff"
        self.init(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }

    static func json(_ body: Data, status: HTTPResponse.Status = .ok, _ more: HTTPFields = [:]) -> Response {
        Response(status, "application/json", body, more)
    }

    init(_ problem: Problem) {
        var headers: HTTPFields = [:]
        if let retryAfter = problem.retryAfter { headers[.retryAfter] = String(retryAfter) }
        if problem.status == 401 { headers[.wwwAuthenticate] = "Bearer" }
        if problem.endsConnection { headers[.connection] = "close" }
        if let location = problem.location { headers[.location] = location }
        if !problem.readable.isEmpty {
            headers[.accept] = problem.readable.joined(separator: ", ")
            headers[.acceptEncoding] = "identity"
        }
        if !problem.allowed.isEmpty { headers[.allow] = problem.allowed.joined(separator: ", ") }
        self.init(.init(code: problem.status), Problem.mediaType, problem.json, headers)
    }
}
