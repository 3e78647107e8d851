import Foundation
import Testing
import ZeroMQ

@Suite("An authenticator that cannot go on")
struct AuthenticatorFailureTests {
    private let error = ZeroMQError.failed(operation: "zmq_poll", code: 12, reason: "injected")

    @Test("It says so, once, since libzmq lets everybody in from then on")
    func failing() throws {
        let context = try Context()
        let failures = try Mailbox<ZeroMQError>()
        let authenticator = try Authenticator(context, .anybody(), whenFailed: { failures.post($0) })
        authenticator.fail(error)
        #expect(failures.take(timeout: .seconds(30)) == [error])
        authenticator.fail(error)
        #expect(failures.take(timeout: .milliseconds(50)).isEmpty)
    }

    @Test("One that is given up has not failed")
    func givenUp() throws {
        let failures = try Mailbox<ZeroMQError>()
        var authenticator: Authenticator? = try Authenticator(
            try Context(), .anybody(), whenFailed: { failures.post($0) })
        withExtendedLifetime(authenticator) {}
        authenticator = nil
        #expect(failures.take(timeout: .milliseconds(100)).isEmpty)
    }
}
