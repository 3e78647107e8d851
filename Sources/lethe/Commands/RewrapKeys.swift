import ArgumentParser
import Files
import Foundation
import Ledger

struct RewrapKeys: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rewrap",
        abstract: "Seal the keys of a key folder under another master key.",
        discussion: """
            For a folder that no coordinator has open. Nothing but the folder is written: data, adapters and what workers keep \
            stay as they are. Killed at any moment, the folder opens with exactly one of the two master keys; run it again, or \
            start the coordinator, with the other where the first is refused.
            """)

    @Option(help: "The key folder: what the coordinator has with --keys-dir, or keys in its --data.")
    var keysDir: String

    @Option(help: "What its keys are sealed with now: a file or fd:N. [default: they lie in clear]")
    var masterKey: String?

    @Option(help: "What they are to be sealed with: a file of 32 bytes or 64 hexadecimal digits, or fd:N.")
    var newMasterKey: String

    @Flag(help: "Print one JSON object on standard output.")
    var json = false

    private struct Summary: Encodable {
        var keysDir: String
        var keys: Int
    }

    func run() throws {
        PrivateFiles.makePrivate()
        try reportingFailures(json: json) {
            guard !keysDir.isEmpty else {
                throw CommandFailure(.usage, "--keys-dir: the name of a folder is missing")
            }
            let old = try masterKey.map { try source($0, "--master-key").read() }
            let new = try source(newMasterKey, "--new-master-key").read()
            guard old != new else { throw CommandFailure(.usage, "--new-master-key is the same as --master-key") }
            let count = try KeyFolder.rewrap(folder: URL(fileURLWithPath: keysDir), from: old, to: new)
            try Output(json: json).emit(
                Summary(keysDir: keysDir, keys: count), done: "the keys are sealed under the new master key"
            ) {
                "\(count) keys in \(keysDir) are sealed under the new master key; the old one opens nothing there any more"
            }
        }
    }

    private func source(_ text: String, _ option: String) throws -> MasterKey {
        guard let source = MasterKey(text) else {
            throw CommandFailure(.usage, "\(option) \(text): write the path of a file, or fd: and a number")
        }
        return source
    }
}
