import ArgumentParser
import Foundation
import Recommendation

struct PromptsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prompts",
        abstract: "Print the prompts of an import, as JSON lines.",
        discussion:
            #"""
            Each line is {"id","instruction","input","output","user","item","timestamp","schema_version"}; timestamp is the \#
            target's. With a template there is a "frame", what stands around instruction and input and the words that answer, \#
            and a "text", the whole prompt.
            """#
    )

    @OptionGroup var data: DataOptions

    @Option(help: "train, validation or test.")
    var split: Split

    @Flag(help: "Accepted for uniformity: the output is JSON lines anyway.")
    var json = false

    private struct Line: Encodable {
        /// As in manifests, margin tables and neighbours.
        var id: String
        var instruction: String
        var input: String
        var output: String
        var user: String
        var item: String
        var timestamp: Int64
        /// On every line, since lines are read one by one.
        var schemaVersion = Output.schemaVersion
        /// Absent where the words are TALLRec's.
        var frame: PromptFrame?
        var text: String?
    }

    func run() throws {
        try reportingFailures(json: json) {
            let configuration = try data.configuration()
            var set = try PromptSet(configuration: configuration)
            let report = try data.reader().forEachBatch { batch in set.add(batch) }
            try data.requireRatings(report)
            let encoder = JSONEncoder.printed
            try set.forEachPrompt(split: split) { prompt in
                let line = Line(
                    id: prompt.id, instruction: prompt.instruction, input: prompt.input, output: prompt.output,
                    user: prompt.user, item: prompt.target.item, timestamp: prompt.target.timestamp,
                    frame: prompt.frame, text: prompt.frame.map { _ in prompt.text })
                try Output.write(String(decoding: encoder.encode(line), as: UTF8.self) + "\n")
            }
            for file in report.files { Output.note(file.text) }
            for line in report.samples {
                Output.note("refused \(line.file):\(line.line): \(line.reason)")
            }
            if report.refused > report.samples.count {
                Output.note("… and \(report.refused - report.samples.count) more lines refused")
            }
        }
    }
}
