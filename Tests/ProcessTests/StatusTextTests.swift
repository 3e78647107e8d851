import Foundation
import Messages
import PeerTestSupport
import Testing
import lethe

@Suite("What status shows people")
struct StatusTextTests {
    private let training = "training shard 0: step 14 of 64, loss 0.693, 812 tokens/s, about 35 s left"

    private static let corrected =
        #""method": "ifru", "exact": false, "approximate_since": 1700000000, "corrections": 2"#

    private static let unkept = #", "unkept": "the stage after slice 2 is not kept""#

    /// - `made`: how the shard's adapter was made. `note`: what the training's line says behind its progress. `unkept`: what it says
    ///   by itself.
    private func reply(
        made: String = Self.corrected, note: String = "", unkept: String = Self.unkept
    ) throws -> StatusReply {
        let json = """
            {"cluster": "3f0c1c9e-6f0a-4f43-8f3e-1e0f4a1f2b3c", "base": "\(String(repeating: "ab", count: 32))",
             "precision": "bf16", "activity": "\(training)",
             "workers": [{"id": "11112222-aaaa", "name": "a-machine-with-a-very-long-name.in-a-domain.example.org",
               "state": "live", "last_seen_seconds": 0.1, "threads": 2, "shards": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
               "holds": [0], "copies": [], "tasks": [
                 {"kind": "train", "shard": 0, "description": "\(training.dropFirst(3))\(note)", "step": 14, "steps": 64,
                  "loss": 0.693, "tokens_per_second": 812, "seconds_remaining": 35\(unkept)},
                 {"kind": "score", "description": "score for 1234"}]}],
             "shards": [{"shard": 0, "state": "training", "prompts": 185, "manifest": "m", "prepared": false, "held": true,
               "adapter": "\(String(repeating: "cd", count: 32))", \(made), "owner": "11112222-aaaa"}],
             "operations": [{"id": "op", "kind": "train", "state": "running", "progress": "\(training)", "fraction": 0.625}],
             "pending_forgets": [], "disputes": [],
             "stuck": [{"kind": "tune", "description": "tuning the attention", "code": "failed", "attempts": 4,
               "reason": "\(String(repeating: "a long reason ", count: 12))"}],
             "tuned": false, "statistics": {"users": 943, "items": 1682, "interactions": 100000, "tombstones": 0,
               "forget_requests": 0, "audit_entries": 3},
             "attention": {"tau": 1, "neighbours": 1}, "certificate_key": "",
             "data": {"train_prompts": 192, "validation_prompts": 96, "test_prompts": 100, "missing_embeddings": 0,
               "missing_margins": 0}}
            """
        return try ReplyCoding.decode(StatusReply.self, from: Data(json.utf8))
    }

    @Test("A name that begins with more blanks than its column is wide is shown all the same")
    func blanks() {
        let wide = String(repeating: " ", count: 200) + "x"
        let text = Table([["worker", "shards"], [wide, String(repeating: "1, ", count: 60)]]).text(width: 40)
        #expect(text.contains("x") && text.contains("1, 1"))
    }

    @Test("A request or an operation is named once, whether its coordinator says it in the line or beside it")
    func named() throws {
        var reply = try reply()
        reply.report.stuck = ["signing a certificate", "signing the certificate of ticket-4711"].map { line in
            StatusReport.StuckDuty(
                kind: "finish", description: line, request: "ticket-4711", code: "disk-full", reason: "full",
                attempts: 4)
        }
        var task = StatusReport.Task(kind: "score", description: "score for an operation")
        task.operation = "0123456789"
        reply.report.workers[0].tasks = [task]
        let text = StatusText(reply, on: Terminal()).text
        #expect(text.contains("stuck: signing a certificate (ticket-4711), attempt 4 (disk-full): full"))
        #expect(text.contains("stuck: signing the certificate of ticket-4711, attempt 4 (disk-full): full"))
        #expect(text.contains("(01234567)"))
    }

    private func lines(_ terminal: Terminal) throws -> [String] {
        StatusText(try reply(), on: terminal).text.split(separator: "\n", omittingEmptySubsequences: false).map(
            String.init)
    }

    @Test("A training is shown once, with its worker, in 80 columns and without a control character")
    func plain() throws {
        let lines = try lines(Terminal())
        #expect(lines.filter { $0.count > 80 } == [])
        #expect(lines.filter { $0.contains("14 of 64") }.count == 1)
        #expect(lines.contains { $0.contains("14 of 64") && $0.contains("0.693") && $0.contains("11112222") })
        #expect(lines.contains("training shard 0") && lines.contains("train op: 62 %"))
        #expect(lines.contains { $0.contains("score for 1234") })
        #expect(lines.contains("worker 11112222, shard 0: the stage after slice 2 is not kept"))
        #expect(!lines.joined().unicodeScalars.contains { $0 == "\u{1B}" || $0 == "█" })
        // What goes over several lines is all there.
        let words = lines.joined(separator: " ").split(separator: " ")
        #expect(words.filter { $0 == "reason" }.count == 12)
        #expect(words.contains("(approximate") && words.contains("2023-11-14") && words.contains("22:13"))
    }

    @Test("A stage that answers, and one that is not kept, stand beside the shard's training")
    func stages() throws {
        func text(_ made: String, note: String = "") throws -> String {
            StatusText(try reply(made: made, note: note, unkept: ""), on: Terminal(width: 240)).text
        }
        let stage = #""method": "apa", "exact": true, "stage": 2"#
        let unkept = "the stage after slice 3 is not kept: no room on disk"
        let full = try text(stage + #", "slices": 4"#, note: "; \(unkept)")
        #expect(full.contains("apa (stage 2 of 4, exact)"))
        #expect(full.contains("\nworker 11112222, shard 0: \(unkept)"))
        // A coordinator of an older release.
        #expect(try text(stage).contains("apa (stage 2, exact)"))
        let trained = try text(#""method": "apa", "exact": true, "slices": 4"#)
        #expect(!trained.contains("stage") && !trained.contains("kept") && trained.contains("apa"))
    }

    @Test("Keys that were put aside are named; a coordinator of before says nothing of any")
    func keysPutAside() throws {
        var reply = try reply()
        #expect(reply.keysPutAside == nil)
        reply.keysPutAside = ["keys.unusable-1"]
        let again = try ReplyCoding.decode(StatusReply.self, from: ReplyCoding.encode(reply))
        #expect(again.keysPutAside == ["keys.unusable-1"])
        #expect(StatusText(again, on: Terminal()).text.contains("keys.unusable-1"))
    }

    @Test("A narrow terminal is kept to, a wide one is used")
    func widths() throws {
        #expect(try lines(Terminal(width: 64)).filter { $0.count > 64 } == [])
        let wide = try lines(Terminal(width: 240))
        #expect(wide.contains { $0.contains("a-machine-with-a-very-long-name.in-a-domain.example.org") })
        #expect(wide.count < (try lines(Terminal()).count))
    }

    @Test("A terminal gets bars and colours")
    func rich() throws {
        let text = try lines(Terminal(width: 80, isRich: true)).joined(separator: "\n")
        #expect(
            text.contains("██░░░░░░░░ 21 %") && text.contains("██████░░░░ 62 %") && text.contains("\u{1B}[31mstuck"))
    }

    @Test("NO_COLOR, a dumb terminal and a pipe get plain text; a pipe has 80 columns unless COLUMNS says otherwise")
    func pipe() {
        let pipe = Pipe()
        let descriptor = pipe.fileHandleForWriting.fileDescriptor
        for environment in [[:], ["NO_COLOR": "1", "TERM": "xterm"], ["TERM": "dumb"], ["TERM": "xterm"]] {
            #expect(!Terminal(descriptor: descriptor, environment: environment).isRich)
        }
        #expect(Terminal(descriptor: descriptor, environment: [:]).width == 80)
        #expect(Terminal(descriptor: descriptor, environment: ["COLUMNS": "132"]).width == 132)
        #expect(Terminal(descriptor: descriptor, environment: ["COLUMNS": "x"]).width == 80)
    }

    @Test("On a terminal of its own the command draws, and with NO_COLOR or TERM=dumb it does not")
    func terminal() throws {
        for (environment, isRich) in [
            (["TERM": "xterm"], true), (["TERM": "xterm", "NO_COLOR": "1"], false), (["TERM": "dumb"], false),
        ] {
            var (main, other) = (Int32(0), Int32(0))
            var size = winsize(ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0)
            #expect(openpty(&main, &other, nil, nil, &size) == 0)
            let terminal = Terminal(descriptor: other, environment: environment)
            #expect(terminal.isRich == isRich && terminal.width == 100)
            close(main)
            close(other)
        }
    }
}

@Suite("Progress")
struct ProgressLineTests {
    private final class Written {
        var text = ""
    }

    private func written(_ terminal: Terminal, _ body: (inout ProgressLine) -> Void) -> String {
        let written = Written()
        var progress = ProgressLine(on: terminal) { written.text += $0 }
        body(&progress)
        progress.end()
        return written.text
    }

    @Test("In a file a line comes at each tenth, however often there is news")
    func tenths() {
        let text = written(Terminal()) { progress in
            for step in 0...1000 { progress.show("train: step \(step)", fraction: Double(step) / 1000) }
        }
        let lines = text.split(separator: "\n")
        #expect(lines.count == 11)
        #expect(lines.first == "0 % train: step 0" && lines.last == "100 % train: step 1000")
        let quick = written(Terminal()) { $0.show("train: done", fraction: 1) }
        #expect(quick == "100 % train: done\n")
        let back = written(Terminal()) { progress in
            for share in [0.35, 0.05, 0.15, 0.45, .nan] { progress.show("x", fraction: share) }
        }
        #expect(back == "35 % x\n45 % x\n")
    }

    @Test("Of what has no known end it tells ever more rarely")
    func endless() {
        let start = ContinuousClock.now
        let text = written(Terminal()) { progress in
            for second in 0..<3600 { progress.show("\(second) rows", at: start + .seconds(second)) }
        }
        let lines = text.split(separator: "\n")
        #expect((10...25).contains(lines.count), "\(lines)")
    }

    @Test("On a terminal one line overwrites itself and is never longer than that")
    func overwriting() {
        let text = written(Terminal(width: 40, isRich: true)) { progress in
            progress.show(String(repeating: "long ", count: 30), fraction: 0.5)
            progress.show("short", fraction: 0.6)
        }
        let parts = text.components(separatedBy: "\r\u{1B}[K")
        #expect(parts.count == 3 && parts.allSatisfy { $0.count <= 40 })
        #expect(parts[2] == "██████░░░░ 60 % short\n")
        #expect(parts[1].hasSuffix("…"))
    }
}
