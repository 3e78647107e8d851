/// Forget requests, in the order in which they came: not more than were asked for.
public struct RequestsReply: Codable, Sendable, Equatable {
    public struct Request: Codable, Sendable, Equatable {
        /// From 1, in the order in which they came: what the next page comes after.
        public var number: Int
        /// As its client named it.
        public var request: String
        public var state: ForgetRecord.State
        /// apa, e2urec or ifru.
        public var method: String
        public var bridge: String?
        /// ISO 8601, UTC, with milliseconds.
        public var received: String
        /// nil: it is not.
        public var finished: String?

        public init(
            number: Int, request: String, state: ForgetRecord.State, method: String, bridge: String? = nil,
            received: String, finished: String? = nil
        ) {
            self.number = number
            self.request = request
            self.state = state
            self.method = method
            self.bridge = bridge
            self.received = received
            self.finished = finished
        }
    }

    public var requests: [Request]

    public init(requests: [Request]) {
        self.requests = requests
    }
}
