import Foundation

/// A transcript: prose and steps. A step is one or more command lines, a line `----`, and the lines that the commands give,
/// up to the next empty line. Lines that begin with `#`, and empty lines between steps, are prose.
struct TranscriptFile {
    struct Line {
        var number: Int
        var text: String
    }

    struct Step {
        var commands: [Line]
        var expected: [String]
    }

    enum Part {
        case prose(String)
        case step(Step)
    }

    static let separator = "----"

    /// Without folders.
    let name: String
    private(set) var parts: [Part] = []

    init(name: String, text: String) throws {
        self.name = name
        var commands: [Line] = []
        var expected: [String]?
        for (index, line) in text.components(separatedBy: "\n").enumerated() {
            if let given = expected {
                if line.isEmpty {
                    parts += [.step(Step(commands: commands, expected: given)), .prose("")]
                    (commands, expected) = ([], nil)
                } else {
                    expected = given + [line]
                }
            } else if line == Self.separator, !commands.isEmpty {
                expected = []
            } else if line.isEmpty || line.hasPrefix("#"), commands.isEmpty {
                parts.append(.prose(line))
            } else if line.isEmpty || line.hasPrefix("#") || line == Self.separator {
                throw TranscriptError(
                    file: name, line: index + 1,
                    message: "commands must be followed by a line \(Self.separator), and come before it")
            } else {
                commands.append(Line(number: index + 1, text: line))
            }
        }
        if let expected {
            parts.append(.step(Step(commands: commands, expected: expected)))
        } else if let first = commands.first {
            throw TranscriptError(
                file: name, line: first.number, message: "no line \(Self.separator) follows these commands")
        }
    }

    /// The same prose and commands with what the commands give; after the first error everything stays as it is.
    func text(running run: (Step) throws -> [String]) -> (text: String, error: (any Error)?) {
        var lines: [String] = []
        var error: (any Error)?
        for part in parts {
            switch part {
            case .prose(let line): lines.append(line)
            case .step(let step):
                lines += step.commands.map(\.text) + [Self.separator]
                do {
                    lines += error == nil ? try run(step) : step.expected
                } catch let found {
                    error = found
                    lines += step.expected
                }
            }
        }
        return (lines.joined(separator: "\n"), error)
    }
}

/// What is wrong in a transcript, and where.
struct TranscriptError: Error, CustomStringConvertible {
    var file: String
    var line: Int
    var message: String

    var description: String { "\(file):\(line): \(message)" }
}
