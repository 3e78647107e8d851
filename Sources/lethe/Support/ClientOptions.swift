import ArgumentParser
import Client
import Foundation
import ZeroMQ

/// The options of every command that talks to a coordinator.
struct ClientOptions: ParsableArguments {
    @Option(help: "Where the coordinator listens. [env: LETHE_COORDINATOR] [default: tcp://127.0.0.1:7070]")
    var coordinator: String?

    @Option(help: "This client's CURVE key file, for a coordinator beyond loopback. [env: LETHE_KEYS]")
    var keys: String?

    @Option(help: "The coordinator's public key file. [env: LETHE_COORDINATOR_KEY]")
    var coordinatorKey: String?

    @Flag(help: "Print one JSON object on standard output.")
    var json = false

    var output: Output { Output(json: json) }

    /// Connects; nothing is sent before the first request.
    func connect() throws -> CoordinatorClient {
        try CoordinatorClient(
            endpoint: try coordinatorEndpoint(coordinator),
            curve: curveKeys(keys: keys, coordinatorKey: coordinatorKey), memory: .standard())
    }

    /// A gateway's own connection.
    func servingLink() throws -> ServingLink {
        try ServingLink(
            endpoint: try coordinatorEndpoint(coordinator),
            curve: curveKeys(keys: keys, coordinatorKey: coordinatorKey), memory: .standard())
    }

    /// Runs a command's body with a client, failures as documented statuses.
    func withClient(_ body: (CoordinatorClient) throws -> Void) throws {
        try reportingFailures(json: json) {
            try body(try connect())
        }
    }
}

/// Where the coordinator listens: the option, the environment or this machine.
///
/// - Throws: `CommandFailure` that names where a mistake stands.
func coordinatorEndpoint(_ option: String?) throws -> String {
    let variable = ProcessInfo.processInfo.environment["LETHE_COORDINATOR"]
    let text = option ?? variable ?? "tcp://127.0.0.1:7070"
    do {
        return try Endpoint(text, for: .connecting).text
    } catch {
        throw CommandFailure(.usage, "\(option == nil ? "LETHE_COORDINATOR" : "--coordinator"): \(error)")
    }
}

/// The client's side of CURVE from the flags or the environment; nil when neither names keys.
func curveKeys(keys: String?, coordinatorKey: String?) throws -> ClientCurve? {
    let environment = ProcessInfo.processInfo.environment
    switch (keys ?? environment["LETHE_KEYS"], coordinatorKey ?? environment["LETHE_COORDINATOR_KEY"]) {
    case (nil, nil): return nil
    case (let keys?, let coordinatorKey?):
        return ClientCurve(
            keys: try CurveKeyPair(contentsOf: keys), serverKey: try CurvePublicKey(contentsOf: coordinatorKey))
    default:
        throw CommandFailure(
            .usage, "--keys and --coordinator-key belong together: this side's pair, the other's public key")
    }
}
