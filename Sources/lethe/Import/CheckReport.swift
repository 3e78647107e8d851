import Foundation
import Messages
import Recommendation

/// What an import would do, for a person to decide from.
struct CheckReport: Encodable {
    struct Setting: Encodable {
        var name: String
        var value: String
    }

    /// What the tokenizer of a base model makes of the training prompts.
    struct Tokens: Encodable {
        /// Prompts that were counted.
        var counted: Int
        var meanOfPrompt: Double
        var longestPrompt: Int
        /// Of all training prompts once.
        var epoch: Int
        /// By one worker at the speed of the cluster's last training.
        var secondsOfEpoch: Double?
    }

    /// What would be drawn for likes.
    struct Negatives: Encodable {
        var perLike: Int
        /// Items of the table that they are drawn from.
        var pool: Int
        var drawn = 0
        /// Prompts that ask about them; none about what the user has an interaction with.
        var prompts = SplitCounts()
    }

    /// To which slice people would go who are new.
    struct Dealing: Encodable {
        /// All of them to the last one.
        var toLast: Bool
        /// People whom the list of likely leavers names, and those of them whom the files name too; absent without a list.
        var leaversListed: Int?
        var leaversFound: Int?
    }

    var rowsRead: Int
    var rowsKept: Int
    var rowsRefused: Int
    var refusals: [RefusalCount]
    var files: [SourceReport]
    var filesWithoutTime: [String]
    var users: Int
    var items: Int
    /// Each user, item and time once.
    var interactions = 0
    /// Kept rows that name a user, item and time that another row has named before.
    var rowsRepeated = 0
    var interactionLikes = 0
    /// With more interactions than a prompt shows, so that there is something to ask about.
    var usersWithPrompts = 0
    var usersWithTooLittleHistory = 0
    var prompts = SplitCounts()
    /// Prompts whose answer is "Yes.".
    var likes = SplitCounts()
    var promptsShortened = 0
    /// nil without --negatives.
    var negatives: Negatives?
    /// nil: by the hash.
    var dealing: Dealing?
    /// With which the prompts were counted; a cluster that has data goes on with its own.
    var settings: [Setting]
    /// The prompt of an invented person with its answer, word for word.
    var example: String
    var tokens: Tokens?
    /// Why tokens or times are not known.
    var notKnown: [String] = []

    init(_ report: ImportReport, _ set: PromptSet, example: Prompt) {
        self.example = example.text + example.output
        (rowsRead, rowsKept, rowsRefused) = (report.read, report.kept, report.refused)
        (refusals, files, filesWithoutTime) = (report.reasons, report.files, report.filesWithoutTime)
        (users, items) = (set.users.count, set.itemCount)
        settings = PromptField.allCases.map { Setting(name: $0.rawValue, value: $0.text(in: set.configuration)) }
    }

    /// - Parameters:
    ///   - interactions: of one user.
    ///   - prompts: that user's.
    mutating func add(_ interactions: [Interaction], _ prompts: [Prompt], _ configuration: PromptConfiguration) {
        self.interactions += interactions.count
        interactionLikes += interactions.count { $0.rating > configuration.likeAbove }
        if interactions.count > configuration.historyLength {
            usersWithPrompts += 1
        } else {
            usersWithTooLittleHistory += 1
        }
        for prompt in prompts {
            self.prompts[prompt.split] += 1
            if prompt.label { likes[prompt.split] += 1 }
            if prompt.sampledFor != nil { negatives?.prompts[prompt.split] += 1 }
        }
    }
}

extension CheckReport {
    var text: String {
        var lines = ["Nothing was changed. An import would take:"]
        lines += files.map { "  " + $0.text }
        for file in filesWithoutTime {
            lines.append(
                "  \(file): no column of times: the order is the file's, and the last rating of an item counts")
        }
        lines.append("\(rowsRead) lines read: \(rowsKept) ratings, \(items) items, \(rowsRefused) refused")
        for refusal in refusals {
            lines.append("  \(refusal.rows) x \(refusal.reason)")
            lines += refusal.examples.map { "      " + Self.text($0) }
        }
        lines.append(
            "\(users) users, \(items) items, \(interactions) interactions; likes: "
                + Self.share(interactionLikes, of: interactions))
        if rowsRepeated > 0 {
            lines.append(
                "\(rowsRepeated) rows name a user, item and time that a row before them has named: they make one interaction, "
                    + "with --events of the largest weight, else of the last rating")
        }
        let shown = settings.first { $0.name == PromptField.history.rawValue }?.value ?? ""
        lines.append(
            "users with more than \(shown) interactions: \(usersWithPrompts); the other \(usersWithTooLittleHistory) get no prompt (--history)"
        )
        for split in Split.allCases {
            lines.append(
                "\(split.rawValue) prompts: \(prompts[split]); likes: \(Self.share(likes[split], of: prompts[split]))")
        }
        if let negatives {
            lines.append(
                "negatives: \(negatives.drawn) would be drawn, \(negatives.perLike) for each like, out of \(negatives.pool) items; "
                    + "they make \(negatives.prompts.train) of the train prompts, \(negatives.prompts.validation) of the "
                    + "validation prompts and \(negatives.prompts.test) of the test prompts")
        }
        if let dealing { lines += dealing.lines }
        if promptsShortened > 0 { lines.append("\(promptsShortened) prompts have shortened titles (--title-bytes)") }
        if prompts.train == 0 {
            lines.append("there is nothing to train on: lower --history, or bring more data of each person")
        } else if likes.train == 0 || likes.train == prompts.train {
            lines.append(
                "all training prompts have the same answer: training will be refused; \(ImportCommand.bothAnswers)")
        }
        if let tokens {
            lines.append(
                "tokens: \(tokens.epoch) in an epoch of training, \(decimal(tokens.meanOfPrompt, 0)) a prompt, at most "
                    + "\(tokens.longestPrompt) (from \(tokens.counted) prompts)")
            if let seconds = tokens.secondsOfEpoch {
                lines.append("an epoch takes one worker about \(Self.duration(seconds)) at the cluster's last speed")
            }
        }
        lines.append("the prompt of an invented person, with its answer:")
        lines += example.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }
        lines += notKnown
        lines.append("counted with " + settings.map { "--\($0.name) \($0.value)" }.joined(separator: " "))
        return lines.map(\.printable).joined(separator: "\n")
    }

    private static func text(_ example: RefusalCount.Example) -> String {
        "\(example.file):\(example.line)" + (example.user.map { ", user \($0)" } ?? "")
            + (example.item.map { ", item \($0)" } ?? "")
    }

    private static func share(_ part: Int, of whole: Int) -> String {
        whole == 0 ? "none" : "\(decimal(100 * Double(part) / Double(whole), 1)) %"
    }

    private static func duration(_ seconds: Double) -> String {
        switch seconds {
        case ..<120: "\(decimal(seconds, 0)) s"
        case ..<7200: "\(decimal(seconds / 60, 0)) min"
        default: "\(decimal(seconds / 3600, 1)) h"
        }
    }
}

extension CheckReport.Dealing {
    fileprivate var lines: [String] {
        var lines: [String] = []
        if toLast { lines.append("people who are new to the cluster would go to the last slice (--new-data last)") }
        if let leaversListed, let leaversFound {
            lines.append(
                "people who will probably leave (--leavers): \(leaversListed), of whom \(leaversFound) are in these files"
                    + (leaversFound > 0 ? "; those who are new to the cluster would go to the last slice" : ""))
        }
        return lines
    }
}
