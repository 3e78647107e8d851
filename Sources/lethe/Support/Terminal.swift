import Foundation

/// What a stream of this process leads to, and what may be drawn there.
package struct Terminal: Sendable {
    /// Columns of what is no terminal, unless COLUMNS says otherwise.
    package static let usualWidth = 80

    package var width: Int
    /// Bars and colours, and lines that overwrite themselves.
    package var isRich: Bool

    package init(width: Int = Terminal.usualWidth, isRich: Bool = false) {
        self.width = width
        self.isRich = isRich
    }

    /// Of a file, a pipe or a terminal; NO_COLOR and TERM=dumb ask for plain text.
    package init(descriptor: Int32, environment: [String: String] = ProcessInfo.processInfo.environment) {
        let isTerminal = isatty(descriptor) == 1
        let columns = environment["COLUMNS"].flatMap { Int($0) }.flatMap { (20...10_000).contains($0) ? $0 : nil }
        width = (isTerminal ? Self.columns(descriptor) : nil) ?? columns ?? Self.usualWidth
        isRich = isTerminal && environment["TERM"] != "dumb" && (environment["NO_COLOR"] ?? "").isEmpty
    }

    package static var output: Terminal { Terminal(descriptor: STDOUT_FILENO) }
    package static var errors: Terminal { Terminal(descriptor: STDERR_FILENO) }

    private static func columns(_ descriptor: Int32) -> Int? {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col >= 20 else { return nil }
        return Int(size.ws_col)
    }

    package enum Colour: Int, Sendable {
        case red = 31
        case faint = 2
    }

    package func coloured(_ text: String, _ colour: Colour) -> String {
        isRich ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// "██████░░░░ 60 %", where bars are drawn; else "60 %".
    package func bar(_ fraction: Double, cells: Int = 10) -> String {
        let share = fraction.isFinite ? min(1, max(0, fraction)) : 0
        let percent = "\(Int((share * 100).rounded(.down))) %"
        guard isRich else { return percent }
        let full = Int((share * Double(cells)).rounded(.down))
        return String(repeating: "█", count: full) + String(repeating: "░", count: cells - full) + " " + percent
    }

    /// The text in lines of at most the width, broken between words; further lines are indented.
    package func wrapped(_ text: String, indent: Int = 2) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .flatMap { lines(of: String($0), width, indent: indent) }.joined(separator: "\n")
    }

    /// The text in one line, with an ellipsis for what does not fit.
    package func shortened(_ text: String, to limit: Int? = nil) -> String {
        let limit = limit ?? width
        return text.count <= limit ? text : String(text.prefix(max(0, limit - 1))) + "…"
    }
}

/// Breaks between words; a word that is longer than a line is cut.
func lines(of text: String, _ width: Int, indent: Int = 0) -> [String] {
    guard text.count > width else { return [text] }
    let margin = String(repeating: " ", count: min(indent, width / 2))
    var lines: [String] = []
    // What the text begins with, such as an indentation, stays.
    var line = String(text.prefix { $0 == " " }.prefix(width / 2))
    var isEmpty = true
    for word in text.split(separator: " ") {
        var word = String(word)
        if !isEmpty, line.count + 1 + word.count > width {
            lines.append(line)
            (line, isEmpty) = (margin, true)
        }
        while line.count + (isEmpty ? 0 : 1) + word.count > width {
            let room = max(1, width - line.count)
            lines.append(line + word.prefix(room))
            word = String(word.dropFirst(room))
            (line, isEmpty) = (margin, true)
        }
        line += (isEmpty ? "" : " ") + word
        isEmpty = false
    }
    return lines + [line]
}
