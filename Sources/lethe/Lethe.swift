import ArgumentParser

@main
struct Lethe: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lethe",
        abstract: "Trains LLM recommenders that can forget.",
        discussion: """
            A coordinator deals training data to shards; each worker trains LoRA adapters for the shards it owns; queries are \
            answered by all adapters together, weighted by how well each does on similar prompts. Forgetting a user \
            retrains only the shards that held the user's data, and `verify` replays that training byte for byte.

            Start with `lethe doctor`, then a coordinator and some workers, then import, train, query, forget.

            Exit status: 0 success; 1 the request failed; 2 verify found other bytes; 64 wrong arguments; 65 unusable \
            input; 69 no coordinator answers; 75 not possible at the moment; 77 refused by the coordinator.
            """,
        version: "0.1.0",
        groupedSubcommands: [
            CommandGroup(
                name: "Services",
                subcommands: [CoordinatorCommand.self, WorkerCommand.self, GatewayCommand.self, KeysCommand.self]),
            CommandGroup(
                name: "Cluster",
                subcommands: [
                    ImportCommand.self, TrainCommand.self, ForgetCommand.self, QueryCommand.self, EvaluateCommand.self,
                    StatusCommand.self, WorkersCommand.self, AdaptersCommand.self, VerifyCommand.self,
                    AccessCommand.self, AuditCommand.self,
                ]),
            CommandGroup(
                name: "Without a cluster",
                subcommands: [PromptsCommand.self, ScoreCommand.self, BenchCommand.self, DoctorCommand.self]),
        ])
}
