import ArgumentParser

@main
struct Lethe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Trains LLM recommenders that can forget.")
}
