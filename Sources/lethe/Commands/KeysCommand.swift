import ArgumentParser
import Files
import Foundation
import LanguageModels
import ZeroMQ

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Make CURVE keys and say what each may do.",
        subcommands: [MakeKeys.self, AllowKey.self, RevokeKey.self, ListKeys.self, RewrapKeys.self],
        defaultSubcommand: MakeKeys.self)
}

struct MakeKeys: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "make",
        abstract: "Make a CURVE key pair for a coordinator, a worker or a client. The default.",
        discussion: """
            Writes FILE, which stays where it is, and FILE.pub, which goes to the other side: the coordinator's to every \
            worker and client (--coordinator-key), theirs to the coordinator (--allow, or with roles: lethe keys allow).
            """)

    @Argument(help: "The file to write; it must not exist.")
    var file: String

    @Flag(help: "Print one JSON object on standard output.")
    var json = false

    private struct Summary: Encodable {
        var file: String
        var publicFile: String
        var publicKey: String
    }

    func run() throws {
        PrivateFiles.makePrivate()
        try reportingFailures(json: json) {
            let pair = try CurveKeyPair.generate()
            try pair.write(to: file)
            let summary = Summary(file: file, publicFile: file + ".pub", publicKey: pair.publicKey.text)
            try Output(json: json).emit(summary, done: "the keys are written") {
                "wrote \(file) (secret) and \(file).pub (public)"
            }
        }
    }
}
