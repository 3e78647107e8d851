import ArgumentParser
import Files
import Foundation
import Messages
import Service
import ZeroMQ

extension KeyRole: ExpressibleByArgument {}

/// The list of keys that a coordinator's `--allow-list` names.
struct AllowListOptions: ParsableArguments {
    @Option(
        help: "The list: the file that the coordinator has with --allow-list. [env: LETHE_ALLOW_LIST]",
        completion: .file())
    var allowList: String?

    @Flag(help: "Print one JSON object on standard output.")
    var json = false

    static let whenChanged =
        "the coordinator goes by it from the next SIGHUP on: kill -HUP PID, or systemctl reload lethe-coordinator"

    /// - Throws: `CommandFailure` where none is named.
    func path() throws -> String {
        guard let path = allowList ?? ProcessInfo.processInfo.environment.variable("LETHE_ALLOW_LIST"), !path.isEmpty
        else {
            throw CommandFailure(.usage, "--allow-list is missing: the file that the coordinator has with --allow-list")
        }
        return path
    }

    /// Changes the list, whole or not at all; whoever else is about to waits or is told.
    func change<Value>(makesFile: Bool, _ body: (inout AllowListText) throws -> Value) throws -> Value {
        try AllowListFile(try path()).change(makesFile: makesFile, body)
    }
}

/// A key as it is shown.
struct KeyLine: Encodable {
    var key: String
    var name: String?
    var roles: [String]
    /// Of the role worker: any, an id or a name; nil: the first that uses it.
    var worker: String?

    init(_ entry: KeyEntry) {
        key = entry.key.text
        name = entry.name
        roles = entry.roles.sorted().map(\.rawValue)
        worker = entry.roles.contains(.worker) && entry.worker != .firstUse ? entry.worker.description : nil
    }

    var title: String { name ?? key }
}

struct AllowKey: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "allow",
        abstract: "Put a key on a coordinator's list, or give one that is there other roles.",
        discussion: """
            Changes the file that a coordinator has with --allow-list, here and nowhere else; the coordinator goes by it from the \
            next SIGHUP on.

            Roles: worker (be a worker), query (ask), data (import, train), forget (forget, and follow these requests), audit \
            (requests, certificates, audit log, verify), admin (everything that clients ask for), gateway (answer questions under a \
            lease; what it passes on needs the roles for that).

            A key with the role worker is for one worker: the first that uses it, or the one that --worker names by its id or its \
            name: the one of --name, or its host's. A name that the coordinator made (the host and a number, of a worker without \
            --name) binds nothing, since whoever comes first has it. --worker any is for however many.
            """)

    @Argument(help: "A public key file, or the 40 characters of a public key.")
    var key: String

    @Option(
        parsing: .upToNextOption,
        help: "What the key may do: \(KeyRole.allCases.map(\.rawValue).joined(separator: ", ")).")
    var role: [KeyRole]

    @Option(help: "What logs call the key. [default: what it was called, or its file's name]")
    var name: String?

    @Option(help: "Which worker it may be: an id, a name, any, or first. [default: as it was, or first]")
    var worker: String?

    @OptionGroup var list: AllowListOptions

    private struct Summary: Encodable {
        var allowed: KeyLine
        var allowList: String
        /// Whether the key was not on the list before.
        var new: Bool
        /// Which workers a name means; nil: the key is bound to none.
        var note: String?
    }

    func run() throws {
        try reportingFailures(json: list.json) {
            guard worker == nil || role.contains(.worker) else {
                throw CommandFailure(.usage, "--worker belongs to --role worker")
            }
            let (key, fileName) = try publicKey()
            let (entry, isNew) = try list.change(makesFile: true) { text in
                let known = text.entries.first { $0.key == key }
                var entry = KeyEntry(key: key, roles: Set(role), name: name ?? known?.name)
                if entry.name == nil, let fileName, KeyEntry.objection(toName: fileName) == nil,
                    !text.entries.contains(where: { $0.name == fileName })
                {
                    entry.name = fileName
                }
                if role.contains(.worker) {
                    entry.worker = try worker.map(WorkerBinding.init) ?? known?.worker ?? .firstUse
                }
                try text.allow(entry)
                return (entry, known == nil)
            }
            let line = KeyLine(entry)
            let note = entry.roles.contains(.worker) ? entry.worker.meaning : nil
            let summary = Summary(allowed: line, allowList: try list.path(), new: isNew, note: note)
            try Output(json: list.json).emit(summary, done: "the key is on the list") {
                "\(line.title) may \(line.roles.joined(separator: ", ")); \(AllowListOptions.whenChanged)"
                    + (note.map { "\n\($0)" } ?? "")
            }
        }
    }

    /// With the name of its file, as people call it: shop of shop.key.pub.
    private func publicKey() throws -> (CurvePublicKey, String?) {
        guard FileManager.default.fileExists(atPath: key) else { return (try CurvePublicKey(key), nil) }
        var name = URL(fileURLWithPath: key).lastPathComponent
        for ending in [".pub", ".key"] where name.hasSuffix(ending) { name.removeLast(ending.count) }
        return (try CurvePublicKey(contentsOf: key), name)
    }
}

struct RevokeKey: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Take a key from a coordinator's list.",
        discussion: """
            From the next SIGHUP on the coordinator refuses whatever the key asks for, also over connections that are there, and a \
            worker with it is turned out. A key that --allow or --allow-gateway names too stays allowed by that.
            """)

    @Argument(help: "The key's 40 characters, a public key file, or its name on the list.")
    var key: String

    @OptionGroup var list: AllowListOptions

    private struct Summary: Encodable {
        var revoked: KeyLine
        var allowList: String
    }

    func run() throws {
        try reportingFailures(json: list.json) {
            let path = try list.path()
            let entry = try list.change(makesFile: false) { text in
                // A name first: a file may be called so too.
                if let entry = text.revoke(key) { return entry }
                if let ofFile = try? CurvePublicKey(contentsOf: key), let entry = text.revoke(ofFile.text) {
                    return entry
                }
                // As releases before called a key after its file.
                if let entry = text.revoke(key + ".key") { return entry }
                throw CommandFailure(
                    .badInput, "\(path) has no key, and none named, \(key); `lethe keys list` shows what it has")
            }
            let line = KeyLine(entry)
            try Output(json: list.json).emit(Summary(revoked: line, allowList: path), done: "the key is off the list") {
                "\(line.title) is off the list; \(AllowListOptions.whenChanged)"
            }
        }
    }
}

struct ListKeys: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show who is on a coordinator's list, and with which roles.")

    @OptionGroup var list: AllowListOptions

    private struct Listing: Encodable {
        var allowList: String
        var keys: [KeyLine]
    }

    func run() throws {
        try reportingFailures(json: list.json) {
            let path = try list.path()
            let entries = try AllowSources.text(of: path).entries
            try Output(json: list.json).emit(Listing(allowList: path, keys: entries.map(KeyLine.init))) {
                let rows = entries.map { entry in
                    [
                        entry.name ?? "-", entry.roles.sorted().map(\.rawValue).joined(separator: ", "),
                        entry.roles.contains(.worker) ? entry.worker.description : "-", entry.key.text,
                    ]
                }
                return Table([["name", "roles", "worker", "key"]] + rows).text()
            }
        }
    }
}
