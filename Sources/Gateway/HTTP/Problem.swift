import Foundation
import HTTPTypes

/// An error as HTTP clients get it: application/problem+json (RFC 9457). `name` is stable, `detail` is for people.
public struct Problem: Error, Hashable, Sendable {
    public static let mediaType = "application/problem+json"
    /// Before `name`, in `type`.
    public static let typePrefix = "urn:lethe:problem:"

    public var status: Int
    /// What clients match on: the coordinator's code, or one of the gateway's own.
    public var name: String
    public var title: String
    public var detail: String
    /// Seconds after which asking again makes sense: there for every 429 and 503.
    public var retryAfter: Int?
    /// Of a refused method: those that the path knows.
    public var allowed: [String] = []
    /// Of a refused body: the kinds that are read (RFC 9110, 15.5.16).
    public var readable: [String] = []
    /// Whether the connection is of no further use to whoever asked, so that its place is better given to somebody else.
    var endsConnection = false
    /// Where to look for what may have been done all the same.
    public var location: String?

    public init(status: Int, name: String, title: String, detail: String, retryAfter: Int? = nil) {
        self.status = status
        self.name = name
        self.title = title
        self.detail = detail
        self.retryAfter = retryAfter
    }

    private struct Body: Encodable {
        var type: String
        var title: String
        var status: Int
        var detail: String
        /// As the header has it, which a problem inside of an answer, or of a stream, has not.
        var retryAfter: Int?

        private enum CodingKeys: String, CodingKey {
            case type, title, status, detail
            case retryAfter = "retry_after"
        }
    }

    /// The body: JSON with sorted keys.
    public var json: Data {
        let body = Body(
            type: Self.typePrefix + name, title: title, status: status, detail: detail, retryAfter: retryAfter)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(body)) ?? Data("{}".utf8)
    }
}

extension Problem {
    static func malformed(_ detail: String) -> Problem {
        Problem(status: 400, name: "malformed-request", title: "The request cannot be read", detail: detail)
    }

    static let brokenOff = malformed("the body broke off")

    static func invalid(_ detail: String) -> Problem {
        Problem(status: 422, name: "invalid-request", title: "The request makes no sense", detail: detail)
    }

    static func notFound(_ detail: String, name: String = "not-found") -> Problem {
        Problem(status: 404, name: name, title: "There is no such thing", detail: detail)
    }

    static func method(_ method: String, allowed: [String]) -> Problem {
        let known = allowed.joined(separator: ", ") + (allowed.count == 1 ? " is" : " are")
        var problem = Problem(
            status: 405, name: "method-not-allowed", title: "The path does not know this method",
            detail: "\(method) is not known here; \(known)")
        problem.allowed = allowed
        return problem
    }

    static func tooLarge(limit: Int) -> Problem {
        Problem(
            status: 413, name: "body-too-large", title: "The body is too large",
            detail: "a body of this request may have \(limit) bytes")
    }

    static func mediaType(wanted: [String]) -> Problem {
        var problem = Problem(
            status: 415, name: "unsupported-media-type", title: "The body is not of a kind that is read here",
            detail: "Content-Type must be \(wanted.joined(separator: " or ")), not compressed")
        problem.readable = wanted
        return problem
    }

    static let unauthenticated = Problem(
        status: 401, name: "token-needed", title: "A token is needed",
        detail: "send Authorization: Bearer TOKEN with a token from the gateway's token file"
    ).last

    static func forbidden(_ roles: [Role]) -> Problem {
        Problem(
            status: 403, name: "role-needed", title: "The token has another role",
            detail: "this needs the role \(roles.map(\.rawValue).joined(separator: " or "))")
    }

    static let foreignHost = Problem(
        status: 421, name: "foreign-host", title: "The request is for another host",
        detail: "without tokens the gateway answers to localhost, 127.0.0.1 and [::1] only"
    ).last

    static let anotherUser = Problem(
        status: 403, name: "another-user", title: "The gateway is another user's",
        detail:
            "without tokens the gateway answers the user that it runs as, and root; whoever runs it gives others tokens with "
            + "--tokens FILE (lethe gateway token), or lets in every user of this machine with --open-loopback"
    ).last

    static let unknownUser = Problem(
        status: 403, name: "unknown-user", title: "Nobody knows whose connection this is",
        detail:
            "without tokens the gateway answers the user that it runs as, and root, and the system does not tell it whose "
            + "this connection is; whoever runs it gives tokens with --tokens FILE (lethe gateway token), or lets in every user "
            + "of this machine with --open-loopback"
    ).last

    /// The same, and the connection ends with it.
    private var last: Problem {
        var problem = self
        problem.endsConnection = true
        return problem
    }

    static let slowBody = Problem(
        status: 408, name: "slow-body", title: "The body comes too slowly",
        detail: "a mebibyte of a body, and what is less than one at its end, has to be there within a minute or so"
    ).last

    static let tooManyBodies = Problem(
        status: 429, name: "busy", title: "Too many requests wait already",
        detail: "the gateway is reading as many large bodies as it has room for, of one asker or of all; ask later",
        retryAfter: 1)

    static let queueFull = Problem(
        status: 429, name: "busy", title: "Too many requests wait already",
        detail: "the gateway's queue is full; ask again later", retryAfter: 1)

    static let deadline = Problem(
        status: 504, name: "deadline", title: "There was no answer in time",
        detail: "the deadline of the request passed before the coordinator answered")

    static let draining = Problem(
        status: 503, name: "draining", title: "The gateway is being stopped",
        detail: "it finishes what it has begun and takes nothing new", retryAfter: 1)

    static let noLease = Problem(
        status: 503, name: "no-lease", title: "The gateway may not answer",
        detail: "the coordinator has not granted it a lease", retryAfter: 1)

    static let revoked = Problem(
        status: 503, name: "revoked", title: "What the answer rests on was taken away",
        detail: "it was taken away between the answer's last step and its way out; ask again", retryAfter: 1)

    static let internalError = Problem(
        status: 500, name: "internal", title: "The gateway failed",
        detail: "the gateway's log says more")
}
