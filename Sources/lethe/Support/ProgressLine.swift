import Foundation

/// How far something is, on standard error: on a terminal one line that overwrites itself, elsewhere a line at each tenth, and of
/// what has no known end one now and then, ever more rarely.
package struct ProgressLine {
    private let terminal: Terminal
    private let write: (String) -> Void
    private var shown = ""
    private var tenth = -1
    private var next: ContinuousClock.Instant?
    private var interval = Duration.seconds(5)

    package init() {
        self.init(on: .errors) { FileHandle.standardError.write(Data($0.utf8)) }
    }

    package init(on terminal: Terminal, write: @escaping (String) -> Void) {
        self.terminal = terminal
        self.write = write
    }

    /// - `fraction`: of the whole, 0 to 1; nil: not known.
    package mutating func show(
        _ what: String, fraction: Double? = nil, at now: ContinuousClock.Instant = .now
    ) {
        let share = fraction.map { $0.isFinite ? min(1, max(0, $0)) : 0 }
        if terminal.isRich {
            // One column stays free: a line that is full would go on in the next.
            let text = share.map { "\(terminal.bar($0)) \(what)" } ?? what
            let line = terminal.shortened(text, to: terminal.width - 1)
            guard line != shown else { return }
            shown = line
            return write("\r\u{1B}[K\(line)")
        }
        if let share {
            // A tenth that was reached is not told again when a restart sets the work back.
            let reached = Int((share * 10).rounded(.down))
            guard reached > tenth else { return }
            tenth = reached
            write("\(terminal.bar(share)) \(what)\n")
        } else {
            guard what != shown, next.map({ now >= $0 }) ?? true else { return }
            if next != nil { interval = min(interval * 2, .seconds(300)) }
            next = now + interval
            shown = what
            write(what + "\n")
        }
    }

    /// Leaves the line behind.
    package mutating func end() {
        if terminal.isRich, !shown.isEmpty { write("\n") }
        shown = ""
    }
}
