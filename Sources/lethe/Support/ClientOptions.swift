import ArgumentParser
import Client
import Files
import Foundation
import ZeroMQ

/// The options of every command that talks to a coordinator.
struct ClientOptions: ParsableArguments {
    @Option(help: coordinatorHelp)
    var coordinator: [String] = []

    @Option(help: "This client's CURVE key file, for a coordinator beyond loopback. [env: LETHE_KEYS]")
    var keys: String?

    @Option(help: "The coordinator's public key file. [env: LETHE_COORDINATOR_KEY]")
    var coordinatorKey: String?

    @Flag(help: "Print one JSON object on standard output.")
    var json = false

    var output: Output { Output(json: json) }

    /// Whether somebody said where the coordinator is.
    var namesCoordinator: Bool {
        !coordinator.isEmpty || ProcessInfo.processInfo.environment.variable("LETHE_COORDINATOR") != nil
    }

    /// Connects; nothing is sent before the first request.
    func connect() throws -> CoordinatorClient {
        let client = try CoordinatorClient(
            endpoints: try coordinatorEndpoints(coordinator),
            curve: curveKeys(keys: keys, coordinatorKey: coordinatorKey), memory: .standard())
        client.whenAbsent = Output.note
        return client
    }

    /// A gateway's own connection.
    func servingLink() throws -> ServingLink {
        try ServingLink(
            endpoints: try coordinatorEndpoints(coordinator),
            curve: curveKeys(keys: keys, coordinatorKey: coordinatorKey), memory: .standard())
    }

    /// Runs a command's body with a client, failures as documented statuses.
    func withClient(_ body: (CoordinatorClient) throws -> Void) throws {
        try reportingFailures(json: json) {
            try body(try connect())
        }
    }
}

let coordinatorHelp: ArgumentHelp =
    "Where the coordinator listens; several addresses, with commas or each with the option, are tried in turn. [env: LETHE_COORDINATOR] [default: tcp://127.0.0.1:7070]"

/// Where the coordinator may listen: the options, the environment or this machine. Names are looked up at every attempt to connect.
///
/// - Throws: `CommandFailure` that names where a mistake stands.
func coordinatorEndpoints(_ options: [String]) throws -> [String] {
    let variable = ProcessInfo.processInfo.environment.variable("LETHE_COORDINATOR")
    let texts = options.isEmpty ? [variable ?? "tcp://127.0.0.1:7070"] : options
    var endpoints: [String] = []
    for text in texts.flatMap(Endpoint.listed) {
        do {
            let endpoint = try Endpoint(text, for: .connecting).text
            if !endpoints.contains(endpoint) { endpoints.append(endpoint) }
        } catch {
            throw CommandFailure(.usage, "\(options.isEmpty ? "LETHE_COORDINATOR" : "--coordinator"): \(error)")
        }
    }
    return endpoints
}

extension Endpoint {
    /// Addresses with commas between them. The path of a socket may have commas in it.
    static func listed(_ text: String) -> [String] {
        var parts: [String] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            if let last = parts.last, last.hasPrefix("ipc://"), !part.contains("://") {
                parts[parts.count - 1] = "\(last),\(part)"
            } else {
                parts.append(String(part))
            }
        }
        return parts
    }
}

/// The client's side of CURVE from the flags or the environment; nil when neither names keys.
func curveKeys(keys: String?, coordinatorKey: String?) throws -> ClientCurve? {
    let environment = ProcessInfo.processInfo.environment
    switch (keys ?? environment.variable("LETHE_KEYS"), coordinatorKey ?? environment.variable("LETHE_COORDINATOR_KEY"))
    {
    case (nil, nil): return nil
    case (let keys?, let coordinatorKey?):
        return ClientCurve(
            keys: try CurveKeyPair(contentsOf: keys), serverKey: try CurvePublicKey(contentsOf: coordinatorKey))
    default:
        throw CommandFailure(
            .usage, "--keys and --coordinator-key belong together: this side's pair, the other's public key")
    }
}
