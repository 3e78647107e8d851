import Messages

/// What a line of a transcript makes happen.
enum TranscriptCommand {
    // Before the start.
    case shard(Int, people: [(name: String, prompts: Int)])
    case partitionWaits
    case doubleChecks(Double)
    case start(isTrained: Bool)
    // Workers.
    case hello(worker: String, base: String?, copy: [(manifest: String, adapter: String?)])
    case needs(worker: String, task: UInt64)
    case progress(worker: String, task: UInt64, step: Int, steps: Int)
    case reports(worker: String, task: UInt64, adapter: String?)
    /// A training that nobody waits for (any more).
    case sendsAllTheSame(worker: String, task: UInt64, adapter: String)
    case reportsFailure(worker: String, task: UInt64, code: String)
    case everybodyWorks
    case released(worker: String, shard: Int)
    case cleared(worker: String, other: String)
    case isAskedToEnd(worker: String)
    case goodbye(worker: String, deleted: [Int])
    case dies(worker: String)
    case disconnects(worker: String)
    // Clients.
    case train(id: String)
    case forget(id: String, users: [String], method: String?, bridge: String?)
    case evaluate(id: String)
    case verify(id: String, request: String?)
    case status(id: String)
    case operation(id: String)
    case declareDestroyed(id: String, worker: String)
    case order(id: String, WorkerOrder)
    // The ledger and its disk.
    case ledgerWaits(Bool)
    case ledgerCommits(isHeard: Bool)
    case diskIsFull(Bool)
    case importPrompts(Int, people: [(name: String, prompts: Int)])
    case damaged(adapter: String)
    // The coordinator.
    case restart
    case wait(milliseconds: Int64)
}

extension TranscriptCommand {
    /// A way to say something: words in capitals stand for one word, `…` for all that follow.
    private struct Form {
        var words: [String]
        var make: ([String]) -> TranscriptCommand?

        init(_ pattern: String, _ make: @escaping ([String]) -> TranscriptCommand?) {
            words = pattern.split(separator: " ").map(String.init)
            self.make = make
        }

        /// Also with a colon behind it, which is captured too.
        private static func isCapital(_ word: String) -> Bool {
            word.first?.isUppercase == true && word.allSatisfy { $0.isUppercase || $0 == ":" }
        }

        /// The words that stand where the pattern has capitals, and the rest as one text; nil: another form.
        func captures(of line: [String]) -> [String]? {
            var captured: [String] = []
            for (position, word) in words.enumerated() {
                if word == "…" {
                    guard position < line.count else { return nil }
                    return captured + [line[position...].joined(separator: " ")]
                }
                guard position < line.count else { return nil }
                if Self.isCapital(word) {
                    captured.append(line[position])
                } else if word != line[position] {
                    return nil
                }
            }
            return line.count == words.count ? captured : nil
        }
    }

    /// - Throws: `TranscriptError` with the place and all commands there are.
    static func parse(_ line: TranscriptFile.Line, in file: String) throws -> TranscriptCommand {
        let words = line.text.split(separator: " ").map(String.init)
        for form in forms {
            if let captured = form.captures(of: words), let command = form.make(captured) { return command }
        }
        let known = forms.map { "  " + $0.words.joined(separator: " ") }.joined(separator: "\n")
        throw TranscriptError(
            file: file, line: line.number, message: "no command is \"\(line.text)\"; there are:\n\(known)")
    }

    // MARK: the forms

    private static var forms: [Form] { setupForms + workerForms + clientForms + otherForms }

    private static var setupForms: [Form] {
        [
            Form("shard N has …") { words in
                guard let shard = Int(words[0]), let people = people(words[1]) else { return nil }
                return .shard(shard, people: people)
            },
            Form("the partition waits for embeddings") { _ in .partitionWaits },
            Form("every retrained shard is double-checked") { _ in .doubleChecks(1) },
            Form("nothing is double-checked") { _ in .doubleChecks(0) },
            Form("the trained cluster starts") { _ in .start(isTrained: true) },
            Form("the new cluster starts") { _ in .start(isTrained: false) },
        ]
    }

    private static var workerForms: [Form] {
        [
            Form("worker W says hello") { .hello(worker: $0[0], base: nil, copy: []) },
            Form("worker W says hello with the base model B") { .hello(worker: $0[0], base: $0[1], copy: []) },
            Form("worker W says hello, holding …") { words in
                let copies = words[1].components(of: " and ").map { $0.components(of: " with ") }
                return .hello(
                    worker: words[0], base: nil, copy: copies.map { ($0[0], $0.count > 1 ? $0[1] : nil) })
            },
            Form("worker W asks for the prompts of task N") { words in
                UInt64(words[1]).map { .needs(worker: words[0], task: $0) }
            },
            Form("worker W is at step N of M of task T") { words in
                guard let step = Int(words[1]), let steps = Int(words[2]), let task = UInt64(words[3]) else {
                    return nil
                }
                return .progress(worker: words[0], task: task, step: step, steps: steps)
            },
            Form("worker W reports task N done") { words in
                UInt64(words[1]).map { .reports(worker: words[0], task: $0, adapter: nil) }
            },
            Form("worker W reports task N trained as A") { words in
                UInt64(words[1]).map { .reports(worker: words[0], task: $0, adapter: words[2]) }
            },
            Form("worker W sends A for task N all the same") { words in
                UInt64(words[2]).map { .sendsAllTheSame(worker: words[0], task: $0, adapter: words[1]) }
            },
            Form("worker W reports that task N failed: CODE") { words in
                UInt64(words[1]).map { .reportsFailure(worker: words[0], task: $0, code: words[2]) }
            },
            Form("the workers do all that they are given") { _ in .everybodyWorks },
            Form("worker W has deleted shard N") { words in
                Int(words[1]).map { .released(worker: words[0], shard: $0) }
            },
            Form("worker W has deleted what worker O left") { .cleared(worker: $0[0], other: $0[1]) },
            Form("worker W is asked to end") { .isAskedToEnd(worker: $0[0]) },
            Form("worker W says goodbye") { .goodbye(worker: $0[0], deleted: []) },
            Form("worker W says goodbye, having deleted shard N") { words in
                Int(words[1]).map { .goodbye(worker: words[0], deleted: [$0]) }
            },
            Form("worker W dies") { .dies(worker: $0[0]) },
            Form("the connection to worker W breaks") { .disconnects(worker: $0[0]) },
        ]
    }

    private static var clientForms: [Form] {
        [
            Form("client asks train T") { .train(id: $0[0]) },
            Form("client asks forget F of U") { .forget(id: $0[0], users: [$0[1]], method: nil, bridge: nil) },
            Form("client asks forget F of U and V") {
                .forget(id: $0[0], users: [$0[1], $0[2]], method: nil, bridge: nil)
            },
            Form("client asks forget F of U by METHOD") {
                .forget(id: $0[0], users: [$0[1]], method: $0[2], bridge: nil)
            },
            Form("client asks forget F of U bridged by METHOD") {
                .forget(id: $0[0], users: [$0[1]], method: nil, bridge: $0[2])
            },
            Form("client asks evaluate E") { .evaluate(id: $0[0]) },
            Form("client asks verify V") { .verify(id: $0[0], request: nil) },
            Form("client asks verify V of F") { .verify(id: $0[0], request: $0[1]) },
            Form("client asks status S") { .status(id: $0[0]) },
            Form("client asks how ID goes") { .operation(id: $0[0]) },
            Form("client orders O: VERB worker W") { words in
                WorkerOrder.Verb(rawValue: words[1]).map {
                    .order(id: String(words[0].dropLast()), WorkerOrder(worker: words[2], verb: $0))
                }
            },
            Form("client declares D: the disk of worker W is destroyed") { words in
                .declareDestroyed(id: String(words[0].dropLast()), worker: words[1])
            },
        ]
    }

    private static var otherForms: [Form] {
        [
            Form("from here on the ledger waits") { _ in .ledgerWaits(true) },
            Form("from here on the ledger commits at once") { _ in .ledgerWaits(false) },
            Form("ledger commits") { _ in .ledgerCommits(isHeard: true) },
            Form("ledger commits, unheard") { _ in .ledgerCommits(isHeard: false) },
            Form("the ledger's disk is full") { _ in .diskIsFull(true) },
            Form("the ledger's disk has room again") { _ in .diskIsFull(false) },
            Form("import into shard N: …") { words in
                guard words[0].hasSuffix(":"), let shard = Int(words[0].dropLast()), let people = people(words[1])
                else { return nil }
                return .importPrompts(shard, people: people)
            },
            Form("the file of A is found damaged") { .damaged(adapter: $0[0]) },
            Form("coordinator restarts") { _ in .restart },
            Form("wait S s") { words in Double(words[0]).map { .wait(milliseconds: Int64($0 * 1000)) } },
        ]
    }

    /// "ann 4, bob 6": names and how many training prompts each has.
    private static func people(_ text: String) -> [(name: String, prompts: Int)]? {
        var people: [(name: String, prompts: Int)] = []
        for part in text.components(of: ", ") {
            let words = part.split(separator: " ")
            guard words.count == 2, let prompts = Int(words[1]), prompts > 0 else { return nil }
            people.append((String(words[0]), prompts))
        }
        return people
    }
}

extension String {
    fileprivate func components(of separator: String) -> [String] {
        split(separator: separator).map(String.init)
    }
}
