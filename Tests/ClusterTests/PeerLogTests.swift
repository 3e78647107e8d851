import Service
import Testing

@Suite("Lines of the log that peers cause")
struct PeerLogTests {
    @Test func `One that comes again and again is written once a minute, and what is left out is counted`() {
        let start = ContinuousClock.now
        var log = PeerLog(at: start)
        let written = (0..<100).filter { _ in log.admits("refused connections", once: "key") }
        #expect(written.count == 1)
        let others = [("refused connections", "another key"), ("refused requests", "key")]
        #expect(others.filter { log.admits($0, once: $1) }.count == 2)
        #expect(log.leftOut(at: start + .seconds(59)) == nil)
        #expect(log.leftOut(at: start + .seconds(60)) == "left out of the last minute: 99 lines on refused connections")
        #expect(log.admits("refused connections", once: "key") == true)
        #expect(log.leftOut(at: start + .seconds(120)) == nil)
    }

    @Test func `Very many write no more lines than any other kind, and are not remembered`() {
        let start = ContinuousClock.now
        var log = PeerLog(at: start)
        let written = (0..<10_000).filter { log.admits("refused connections", once: "key \($0)") }
        #expect(written.count == PeerLog.linesAMinute)
        #expect((0..<100).filter { _ in log.admits("workers") }.count == PeerLog.linesAMinute)
        #expect(
            log.leftOut(at: start + .seconds(61))
                == "left out of the last minute: 9970 lines on refused connections, 70 lines on workers")
    }
}
