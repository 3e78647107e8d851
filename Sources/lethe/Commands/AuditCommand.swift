import ArgumentParser
import Messages

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Print the audit log.",
        discussion: """
            Requests and people stand in it under hashes. A request is found by its id: printf %s ID | sha256sum. Who asked is the \
            name of the key's file in the coordinator's --allow, or local. Whether the log is whole is said by `lethe verify`.
            """)

    @Option(help: "Only what comes after this entry; 0: all.")
    var after = 0

    @OptionGroup var client: ClientOptions

    func validate() throws {
        guard WireLimits.entries.contains(after) else {
            throw ValidationError("--after must be from 0 to \(WireLimits.entries.upperBound)")
        }
    }

    func run() throws {
        try client.withClient { coordinator in
            var entries: [AuditReply.Entry] = []
            while true {
                let request = ClientRequest.AuditRequest(after: entries.last?.sequence ?? after)
                let body = try coordinator.call(.audit(request)).body
                let page = try ReplyCoding.decode(AuditReply.self, from: body).entries
                entries += page
                if page.count < ClientRequest.AuditRequest.largest { break }
            }
            try client.output.emit(AuditReply(entries: entries)) {
                entries.map { "\($0.sequence)  \($0.time)  \($0.kind)  \($0.detail)" }.joined(separator: "\n")
            }
        }
    }
}
