import ArgumentParser
import Foundation
import Messages
import Recommendation
import Unlearning

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Bring ratings into the cluster.",
        discussion: """
            Importing the same data again changes nothing; data that was forgotten stays out. Lines that cannot be read are \
            counted and named, the others go in. Another rating of what is there (the same user, item and time) corrects it. \
            Without a column of times the order is the file's, and the last rating of a user and an item counts.

            How prompts are made is recorded at the first import; options that are left out stay as they are recorded, and \
            others are refused.

            Columns and keys that are known by their names; capitals, blanks, points and underscores do not count, and a \
            title or name of an item must say whose it is where a person stands beside:
            \(ColumnMeaning.allRecognised)

            Times are ISO 8601 dates, or seconds, milliseconds, microseconds or nanoseconds since 1970 by their magnitude. \
            Ratings may have a decimal comma.
            """)

    @OptionGroup var data: DataOptions
    @Flag(help: "Make all prompts anew with other settings than the recorded ones; their shards are trained again.")
    var changePrompts = false

    @Option(
        help: """
            To which slice of their shards people go who are new: any by a keyed hash, or the last, so that the others need \
            not be trained again. For clusters with --slices and the partition user or user-hash. [default: hash]
            """)
    var newData: NewPeople?
    @Option(
        help: """
            A file of people who will probably leave, one a line: those of them who are new go to the last slice, whose \
            prompts are trained last and trained again soonest.
            """)
    var leavers: String?

    @Option(
        help: """
            So many negatives are drawn for each like, from 0 to 20, where nobody says what was not liked: items of the table \
            of items that is given beside the ratings, by a keyed hash. Each is asked about once, with the answer "No.".
            """)
    var negatives = 0

    @Flag(
        help: """
            Change nothing: read everything and print what an import would take, refuse and make of it. Needs no cluster unless \
            --coordinator names one, which must answer then.
            """)
    var check = false
    @Option(help: "With --check: this base model's tokenizer counts the tokens of the prompts.")
    var model: String?

    @OptionGroup var client: ClientOptions

    /// What the command prints: the reader's side and the cluster's.
    private struct Summary: Encodable {
        var rowsRead: Int
        var rowsKept: Int
        var rowsRefused: Int
        var refused: [RefusedLine]
        var rowsNew: Int
        var rowsAlreadyThere: Int
        /// Interactions that have another rating now.
        var rowsCorrected: Int
        /// Rows of forgotten users or interactions, which stay out.
        var rowsForgotten: Int
        /// Absent without --negatives.
        var negativesDrawn: Int?
        /// People who were new and went to the last slice; absent: all were dealt by the hash.
        var dealtToLast: Int?
        /// People whom the list of likely leavers names, and those of them who were new and went to the last slice; absent
        /// without --leavers.
        var leaversListed: Int?
        var leaversDealt: Int?
        var prompts: SplitCounts
        var promptsAdded: Int
        var promptsRebuilt: Int
        var promptsRemoved: Int
        var shardsChanged: [Int]
        /// Prompts whose answer is "Yes.".
        var likes: SplitCounts?
        /// Shards all of whose prompts have the same answer.
        var shardsOfOneLabel: [Int]
        /// What was taken of which file.
        var files: [SourceReport]
        /// Files of ratings without time: their order is the file's.
        var filesWithoutTime: [String]
        /// Refused rows by reason.
        var refusals: [RefusalCount]
        /// Prompts whose titles were too long together, and the first ids of these.
        var promptsShortened: Int
        var shortened: [String]
    }

    /// Before anything is read.
    private func requireBounds() throws {
        guard NegativePool.bounds.contains(negatives) else {
            throw CommandFailure(
                .usage, "--negatives must be from 0 to \(NegativePool.bounds.upperBound), and is \(negatives)")
        }
    }

    func run() throws {
        if check {
            try reportingFailures(json: client.json) {
                try requireBounds()
                try ImportCheck(
                    data: data, changePrompts: changePrompts, negatives: negatives, model: model,
                    dealing: ListedDealing(newData, leavers: leavers.map { try Self.leavers($0) }), client: client
                ).run()
            }
            return
        }
        try client.withClient { coordinator in
            try requireBounds()
            guard model == nil else { throw CommandFailure(.usage, "--model goes with --check") }
            let prompts = try data.configuration()
            let importID = UUID().uuidString.lowercased()
            var batches = 0
            var progress = ProgressLine()
            var rows = 0
            let leavers = try self.leavers.map { try Self.leavers($0) }
            try data.requireFiles(itemsAreDeclared: negatives > 0)
            // A new item's fields are read for the template that is on record, too.
            let configuration = try ReplyCoding.decode(
                ConfigurationReply.self, from: coordinator.call(.configuration).body)
            if newData == .last || leavers != nil { try configuration.requireDealing() }
            if negatives > 0 { try configuration.requireDrawing() }
            let recorded = configuration.prompts
            if let recorded { _ = try data.configuration(prompts, over: recorded, changePrompts: changePrompts) }
            let report: ImportReport
            do {
                report = try data.reader(recorded: recorded, itemsAreDeclared: negatives > 0).forEachBatch { batch in
                    let sequence = batches
                    batches += 1
                    try coordinator.call(
                        .importRows(
                            .init(
                                importID: importID, sequence: sequence, items: batch.items,
                                interactions: batch.interactions)))
                    rows += batch.interactions.count
                    progress.show("\(rows) rows sent")
                }
                progress.end()
                try data.requireRatings(report)
            } catch {
                progress.end()
                // What the coordinator keeps aside is people's. Should it not hear this, it drops that by itself after a while.
                if batches > 0, (error as? ClientError)?.code != .unreachable {
                    _ = try? coordinator.call(.dropImport(id: importID), patience: .seconds(5))
                }
                throw error
            }
            let reply = try coordinator.call(
                .finishImport(
                    .init(
                        importID: importID, batches: batches, prompts: prompts, given: data.given,
                        changePrompts: changePrompts, newPeople: newData, leavers: leavers,
                        negatives: negatives > 0 ? negatives : nil)), patience: .seconds(600))
            let done = try ReplyCoding.decode(ImportReply.self, from: reply.body)
            let summary = Summary(
                rowsRead: report.read, rowsKept: report.kept, rowsRefused: report.refused, refused: report.samples,
                rowsNew: done.outcome.rowsNew, rowsAlreadyThere: done.outcome.rowsAlreadyThere,
                rowsCorrected: done.outcome.rowsCorrected,
                rowsForgotten: done.outcome.rowsRefused, negativesDrawn: done.outcome.negativesDrawn,
                dealtToLast: done.outcome.dealtToLast, leaversListed: leavers.map { Set($0).count },
                leaversDealt: done.outcome.leaversDealt, prompts: done.prompts,
                promptsAdded: done.outcome.promptsAdded, promptsRebuilt: done.outcome.promptsRebuilt,
                promptsRemoved: done.outcome.promptsRemoved, shardsChanged: done.outcome.shardsChanged,
                likes: done.likes, shardsOfOneLabel: done.shardsOfOneLabel ?? [], files: report.files,
                filesWithoutTime: report.filesWithoutTime, refusals: report.reasons,
                promptsShortened: done.outcome.promptsShortened ?? 0, shortened: done.outcome.shortened ?? [])
            try client.output.emit(summary, done: "the import is done") { text(summary) }
        }
    }

    private static func leavers(_ path: String) throws -> [String] {
        let names = try NamedLines.read(path, of: "user")
        let most = ClientRequest.FinishImport.mostLeavers
        guard names.count <= most else {
            throw CommandFailure(.badInput, "\(path) names \(names.count) people; one import takes \(most)")
        }
        return names
    }

    /// What makes training possible.
    static let bothAnswers = "change --like-above, bring rows of what was not liked, or have some drawn (--negatives 2)"

    private func text(_ summary: Summary) -> String {
        var lines = [
            "\(summary.rowsRead) lines read: \(summary.rowsKept) ratings, \(summary.rowsRefused) refused",
            "\(summary.rowsNew) new, \(summary.rowsAlreadyThere) already there, \(summary.rowsCorrected) corrected, "
                + "\(summary.rowsForgotten) kept out because they were forgotten",
            "prompts: \(summary.prompts.train) training, \(summary.prompts.validation) validation, "
                + "\(summary.prompts.test) test",
        ]
        if let drawn = summary.negativesDrawn { lines.append("\(drawn) negatives drawn") }
        if let dealt = summary.dealtToLast { lines.append("new people in the last slice: \(dealt)") }
        if let listed = summary.leaversListed, let dealt = summary.leaversDealt {
            lines.append(
                "people who will probably leave (--leavers): \(listed), of whom \(dealt) are new and went to the last slice"
                    + (dealt < listed ? "; the others were there already, or no row that was taken names them" : ""))
        } else if summary.leaversListed == 0 {
            lines.append("the list of people who will probably leave (--leavers) names nobody")
        }
        if let likes = summary.likes, summary.prompts.train > 0 {
            let share = 100 * Double(likes.train) / Double(summary.prompts.train)
            lines.append("likes: \(decimal(share, 1)) % of the training prompts")
            if likes.train == 0 || likes.train == summary.prompts.train {
                lines.append("all have the same answer: training will be refused; \(Self.bothAnswers)")
            }
        }
        if !summary.shardsOfOneLabel.isEmpty {
            let shards = summary.shardsOfOneLabel.map(String.init).joined(separator: ", ")
            lines.append("all prompts have the same answer in shards \(shards)")
        }
        lines += summary.files.map(\.text)
        for file in summary.filesWithoutTime {
            lines.append("\(file): no column of times: the order is the file's, and the last rating of an item counts")
        }
        if summary.promptsShortened > 0 {
            lines.append(
                "\(summary.promptsShortened) prompts have shortened titles: \(summary.shortened.joined(separator: ", "))"
            )
        }
        for line in summary.refused {
            lines.append("refused \(line.file):\(line.line): \(line.reason)")
        }
        if summary.refused.count < summary.rowsRefused {
            lines.append("… and \(summary.rowsRefused - summary.refused.count) more")
        }
        // Whatever a supplier's file holds.
        return lines.map(\.printable).joined(separator: "\n")
    }
}

extension NewPeople: ExpressibleByArgument {}
