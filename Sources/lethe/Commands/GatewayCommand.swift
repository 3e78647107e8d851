import ArgumentParser
import Client
import Files
import Foundation
import Gateway
import Logging
import Messages
import UnixSignals
import Unlearning

struct GatewayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "Serve HTTP before a coordinator; with a dashboard.",
        discussion: """
            Describes itself at /openapi.json and shows the cluster at /. Questions are forwarded to the coordinator; with --model, the \
            cluster's base model, the gateway computes the answers itself. It keeps no answer and no data on a disk, and any number \
            of them may run. A gateway that computes answers holds a lease of the coordinator: a forget request is acknowledged once \
            every such gateway has let go of what it took, or its lease has run out (3 s). Where the coordinator has keys, \
            it names the gateway's with --allow-gateway.

            On loopback (127.0.0.0/8, ::1) nobody needs a token: without --tokens the gateway answers the user that it runs as, and \
            root, and no other user of the machine, unless --open-loopback says so. Beyond it a gateway needs --tokens, and --tls-cert with --tls-key \
            or, where a proxy encrypts, --behind-proxy. The token file has a line for each token: ROLE SHA256-HEX NAME, with the \
            roles query, data, forget, audit and admin; `lethe gateway token` makes one. SIGHUP has it read again.

            At SIGTERM it is not ready any more (/readyz), finishes what it has begun and ends.
            """,
        subcommands: [Serve.self, Token.self], defaultSubcommand: Serve.self)

    struct Serve: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Serve HTTP until SIGTERM or SIGINT.")

        @Option(help: "Where to listen: http://HOST:PORT, or https:// with --tls-cert; port 0 is any free one.")
        var listen = "http://127.0.0.1:8080"

        @Option(help: "The certificate and those that vouch for it, in PEM.")
        var tlsCert: String?

        @Option(help: "The certificate's private key, in PEM.")
        var tlsKey: String?

        @Option(help: "The token file: nobody gets in without a token, on loopback neither.")
        var tokens: String?

        @Flag(
            help:
                "On loopback, without --tokens: answer every user of this machine, not only this one and root; also from a container."
        )
        var openLoopback = false

        @Flag(help: "A proxy before the gateway encrypts.")
        var behindProxy = false

        @Option(help: "The cluster's base model, a GGUF file or a Hugging Face directory: questions are answered here.")
        var model: String?

        @Option(help: "Threads to compute with, \(OptionBounds.threads.inWords). [default: all cores]")
        var threads: Int?

        @Option(
            help:
                "A folder for packed weights, shared by your processes on this machine, or none. [env: LETHE_WEIGHT_CACHE] [default: ~/.cache/lethe/weights]"
        )
        var weightCache: String?

        @Option(help: "Days after its receipt at which a forget request is due, \(DueRequest.dayBounds.inWords).")
        var dueDays = DueRequest.days

        @Option(
            help: "Seconds for which the gateway says that it is not ready before it stops listening, from 0 to 600.")
        var drainSeconds = 0

        @OptionGroup var log: LogOptions

        @OptionGroup var client: ClientOptions

        func validate() throws {
            guard (tlsCert == nil) == (tlsKey == nil) else {
                throw ValidationError("--tls-cert and --tls-key belong together")
            }
            guard DueRequest.dayBounds.contains(dueDays) else {
                throw ValidationError("--due-days must be \(DueRequest.dayBounds.inWords)")
            }
            guard (0...600).contains(drainSeconds) else {
                throw ValidationError("--drain-seconds must be from 0 to 600")
            }
            guard model != nil || (threads == nil && weightCache == nil) else {
                throw ValidationError("--threads and --weight-cache need --model: they are of answers computed here")
            }
        }

        func run() throws {
            CoreDumps.refuse()
            try reportingFailures(json: client.json) {
                let logger = try log.logger("gateway")
                var options = GatewayOptions(listen: try ListenAddress(parsing: listen))
                if let tlsCert, let tlsKey { options.certificate = (tlsCert, tlsKey) }
                options.tokens = tokens
                options.opensLoopback = openLoopback
                options.isBehindProxy = behindProxy
                options.dueDays = dueDays
                options.drain = .seconds(drainSeconds)
                let client = client
                let model = try model.map { path in
                    GatewayOptions.Model(
                        path: path,
                        threads: try within(
                            OptionBounds.threads, threads ?? AvailableCores.current.count, "--threads"),
                        weightCache: weightCacheDirectory(weightCache))
                }
                let gateway = try GatewayServer(
                    options: options, logger: logger,
                    answering: model.map { ($0, { try client.servingLink() }) }
                ) {
                    try client.connect()
                }
                try waiting { try await Self.serve(gateway, json: client.json, logger: logger) }
            }
        }

        private static func serve(_ gateway: GatewayServer, json: Bool, logger: Logger) async throws {
            // Trapped before anybody is told that the gateway listens.
            let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
            try await gateway.run {
                for await signal in signals {
                    guard signal == .sighup else { return }
                    gateway.reload()
                }
            } whenListening: { url in
                logger.info("the gateway listens at \(url); its dashboard is there too")
                if json {
                    try? Output(json: true).emit(["url": url]) { "" }
                    fflush(nil)
                }
            }
        }
    }

    struct Token: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token and the line that admits it.",
            discussion:
                "Append the line to the token file and send the gateway SIGHUP. The token itself is stored nowhere.")

        @Option(help: "What whoever shows it may do: query, data, forget, audit or admin.")
        var role: Role

        @Option(help: "Whose it is, for people who read the file.")
        var name: String?

        @Flag(help: "Print one JSON object on standard output.")
        var json = false

        func run() throws {
            let made = NewToken(role: role, name: name)
            try Output(json: json).emit(["token": made.token, "line": made.line]) {
                "token: \(made.token)\nline:  \(made.line)"
            }
        }
    }
}

extension Role: ExpressibleByArgument {}

/// Waits on this thread, which is no task's, for what has to be done in one.
private func waiting(_ body: @escaping @Sendable () async throws -> Void) throws {
    let result = ResultPlace()
    let isDone = DispatchSemaphore(value: 0)
    Task {
        do {
            try await body()
        } catch {
            result.error = error
        }
        isDone.signal()
    }
    isDone.wait()
    if let error = result.error { throw error }
}

/// Written before the semaphore is signalled, read after.
private final class ResultPlace: @unchecked Sendable {
    var error: (any Error)?
}
