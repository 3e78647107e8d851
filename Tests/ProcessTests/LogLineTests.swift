import Foundation
import Logging
import PeerTestSupport
import Testing
import lethe

@Suite("Lines of the log", .waiting)
struct LogLineTests {
    @Test("What is logged stays on its line, whatever it holds")
    func oneLine() {
        let lines = Lines()
        let logger = Logger(label: "test") { _ in OneLineLogHandler(lines) }
        logger.warning(
            "worker \("a\nnotice: forged")",
            metadata: ["reason": "\("b\r\u{1B}[31m\u{2028}")", "list": ["\("c\nd")"], "name": "Jörg 請求"])
        let text = lines.text
        #expect(text.unicodeScalars.allSatisfy { !"\n\r\u{1B}\u{2028}".unicodeScalars.contains($0) })
        #expect(text.contains("forged") && text.contains("Jörg 請求") && text.contains("\\n"))
    }

    /// Keeps what is logged.
    private final class Lines: LogHandler, @unchecked Sendable {
        private let lock = NSLock()
        private var lines: [String] = []
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lock.withLock { lines.append("\(event.message) \(event.metadata ?? [:])") }
        }

        var text: String { lock.withLock { lines.joined() } }
    }
}
