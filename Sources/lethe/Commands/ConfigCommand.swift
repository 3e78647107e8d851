import ArgumentParser
import Foundation
import Ledger
import Messages
import Service

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Print a coordinator's options, in force and recorded.",
        discussion: """
            Of the coordinator that runs, or with --data of a folder that no coordinator has open: then what `lethe coordinator \
            --data DIR` would start with.

            The object of --json is a configuration file: `lethe config --json >FILE`, then `lethe coordinator --config FILE`. \
            "recorded" in it is what the next start takes where nothing is said; `coordinator --config` leaves that aside. Files of \
            CURVE keys, who may connect and the master key are not printed: name them at every start.
            """)

    @Option(
        help: "The folder of a coordinator that does not run, instead of asking one that does.", completion: .directory)
    var data: String?

    @Option(help: "With --data: the configuration file that it would be started with.", completion: .file())
    var config: String?

    @OptionGroup var client: ClientOptions

    func validate() throws {
        guard config == nil || data != nil else { throw ValidationError("--config belongs to --data") }
    }

    func run() throws {
        try reportingFailures(json: client.json) {
            var reply: ConfigurationReply
            if let data {
                reply = try offline(data)
            } else {
                let body = try client.connect().call(.configuration).body
                reply = try ReplyCoding.decode(ConfigurationReply.self, from: body)
            }
            // For clients; the rest is a configuration file of this release.
            (reply.dealsPeople, reply.drawsNegatives) = (nil, nil)
            try client.output.emit(json: ReplyCoding.show(reply)) { ConfigurationText(reply).text }
        }
    }

    private func offline(_ data: String) throws -> ConfigurationReply {
        let folder = URL(fileURLWithPath: data)
        let recorded: RecordedConfiguration?
        do {
            recorded = try Ledger.recorded(in: folder)
        } catch LedgerError.inUse {
            throw CommandFailure(
                .notReady, "a coordinator has \(data) open: ask it, with `lethe config --coordinator ENDPOINT`")
        }
        guard let recorded else {
            throw CommandFailure(.badInput, "\(data) holds no cluster: there is no ledger.sqlite")
        }
        var flags = try CoordinatorFlags.parse([])
        flags.data = data
        flags = try flags.overriding(file: config)
        // Shown also when it is not there any more: a start would say so.
        flags.model = flags.model ?? recorded.start.model ?? ""
        var options = try flags.options()
        try CoordinatorFlags.configure(&options.corrections, file: config)
        var effective = options.configuration(options.cluster(over: recorded.cluster))
        if flags.model == "" { effective.model = nil }
        return ConfigurationReply(
            effective: effective, recorded: CoordinatorConfiguration(recorded), cluster: recorded.name)
    }
}

/// One option a line, under the names of the configuration file.
private struct ConfigurationText {
    let reply: ConfigurationReply

    init(_ reply: ConfigurationReply) { self.reply = reply }

    var text: String {
        var lines = reply.cluster.map { ["cluster \($0)", ""] } ?? []
        let (effective, recorded) = (Self.fields(reply.effective), Self.fields(reply.recorded))
        let names = Set(effective.keys).union(recorded.keys).sorted()
        let rows = names.map { name in
            let (now, then) = (effective[name] ?? "-", recorded[name] ?? "-")
            return [name, now, then == now ? "same" : then]
        }
        lines.append(Table([["option", "in force", "recorded"]] + rows).text(width: Terminal.output.width))
        return lines.joined(separator: "\n")
    }

    /// Nested values under their path: `ifru.probes`.
    private static func fields(_ configuration: CoordinatorConfiguration) -> [String: String] {
        guard let data = try? ReplyCoding.encode(configuration),
            let value = try? JSONDecoder().decode(ConfigurationValue.self, from: data)
        else { return [:] }
        var fields = value.fields(below: "")
        // Beyond what a number of JSON is exact to here.
        fields["seed"] = configuration.seed.map(String.init)
        return fields
    }
}

extension ConfigurationValue {
    fileprivate func fields(below path: String) -> [String: String] {
        guard case .object(let object) = self else { return [path: text] }
        return object.reduce(into: [:]) { fields, entry in
            let name = path.isEmpty ? entry.key : "\(path).\(entry.key)"
            fields.merge(entry.value.fields(below: name)) { $1 }
        }
    }

    private var text: String {
        switch self {
        case .flag(let flag): "\(flag)"
        case .number(let number): Int(exactly: number).map(String.init) ?? "\(number)"
        case .text(let text): text
        case .list(let list): list.map(\.text).joined(separator: " ")
        case .object: "{…}"
        }
    }
}
