/// An error a client can match on; `code` is stable, `message` is for people.
public struct ClientError: Error, Codable, Hashable, Sendable {
    public var code: ErrorCode
    public var message: String

    public init(code: ErrorCode, message: String) {
        self.code = code
        self.message = message
    }
}
