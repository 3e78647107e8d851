import ArgumentParser
import Foundation
import Messages

@main
struct Lethe: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lethe",
        abstract: "Trains LLM recommenders that can forget.",
        discussion: """
            A coordinator deals training data to shards; each worker trains a LoRA adapter for every shard it owns; all \
            adapters together answer a query. To forget somebody retrains only the shards that held the data, and `verify` \
            replays that, byte for byte.

            A first cluster, on this machine:

              lethe doctor
              lethe coordinator --data DIR --model MODEL &
              lethe worker --model MODEL &
              lethe import --format csv FILE
              lethe train --wait
              lethe query --user ID --top 10
              lethe forget --user ID --wait

            Exit status: 0 success; 1 the request failed; 2 verify found other bytes; 64 wrong arguments; 65 unusable input; \
            69 no coordinator answers; 75 not possible at the moment; 77 refused.
            """,
        version: Release.version,
        groupedSubcommands: [
            CommandGroup(
                name: "Cluster",
                subcommands: [
                    CoordinatorCommand.self, WorkerCommand.self, GatewayCommand.self, KeysCommand.self,
                    ConfigCommand.self,
                ]),
            CommandGroup(
                name: "Data and training", subcommands: [ImportCommand.self, TrainCommand.self]),
            CommandGroup(
                name: "Answers", subcommands: [QueryCommand.self, EvaluateCommand.self, AdaptersCommand.self]),
            CommandGroup(
                name: "Forgetting and evidence",
                subcommands: [
                    ForgetCommand.self, RequestsCommand.self, VerifyCommand.self, AccessCommand.self,
                    AuditCommand.self,
                ]),
            CommandGroup(name: "Watching", subcommands: [StatusCommand.self, WorkersCommand.self]),
            CommandGroup(
                name: "Local",
                subcommands: [DoctorCommand.self, PromptsCommand.self, ScoreCommand.self, BenchCommand.self]),
        ])

    /// As in what commands print themselves.
    static let _errorPrefix = "error: "

    /// What the parser refuses is said like any other failure: with `--json` also as an object on standard output.
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            var command = try parseAsRoot(IdentifierArguments.joined(arguments))
            try command.run()
        } catch {
            let isAsked = arguments.prefix { $0 != "--" }.contains("--json")
            // Whoever reports by itself ends with a status alone.
            guard isAsked, !(error is ExitCode), exitCode(for: error) != .success else { exit(withError: error) }
            let cause = objection(to: arguments.filter { $0 != "--json" }) ?? error
            CommandFailure(.usage, message(for: cause)).emit(code: ExitStatus.usage.kind)
            exit(withError: cause)
        }
    }

    /// What is wrong apart from `--json`, which the parser names first where no command is known.
    private static func objection(to arguments: [String]) -> (any Error)? {
        do {
            _ = try parseAsRoot(IdentifierArguments.joined(arguments))
            return nil
        } catch {
            return exitCode(for: error) == .success ? nil : error
        }
    }
}
