import Foundation
import Logging
import PeerTestSupport
import Service
import Testing
import ZeroMQ

@Suite("A coordinator that cannot tell any more who may connect", .waiting)
struct FailingAdmissionTests {
    @Test("It ends at once, with the reason")
    func ends() throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-test-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        try TinyModelDirectory.write(to: root.appendingPathComponent("model"))
        var options = CoordinatorOptions(
            dataDirectory: root.appendingPathComponent("data"), model: root.appendingPathComponent("model").path)
        options.endpoint = "tcp://127.0.0.1:*"
        options.precision = .f32
        let process = try CoordinatorProcess(
            options: options, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let ended = try Mailbox<Result<Void, any Error>>()
        let error = ZeroMQError.failed(operation: "zmq_poll", code: 12, reason: "injected")
        Thread {
            ended.post(Result { try process.run { _ in process.failAdmission(error) } })
        }.start()
        let result = try #require(ended.take(timeout: .seconds(60)).first)
        #expect(throws: error) { try result.get() }
    }
}
