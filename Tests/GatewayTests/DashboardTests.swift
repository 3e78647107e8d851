import Foundation
import Messages
import Testing

@testable import Gateway

/// A Chromium on this machine, to be run without a window.
private enum Browser {
    static let path: String? = {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        let names = ["chromium", "chromium-browser", "google-chrome", "chrome"]
        let files = names.flatMap { name in folders.map { "\($0)/\(name)" } }
        return files.first { FileManager.default.isExecutableFile(atPath: $0) }
    }()
}

/// The page's own files in a real browser, with the gateway's own overview and answers.
@Suite("The dashboard in a browser", .enabled(if: Browser.path != nil, "there is no Chromium"))
struct DashboardTests {
    /// The document once the page has drawn what it was told, and asked about user 42.
    private func document(of gateway: TestGateway) async throws -> String {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("dashboard-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in ["dashboard.js", "dashboard.css"] {
            try await gateway.ask(.get, "/\(name)").body.write(to: folder.appendingPathComponent(name))
        }
        let overview = try await gateway.ask(.get, "/v1/overview").body
        let answer = try await gateway.ask(.post, "/v1/rank", #"{"user":"ada","candidates":50,"top":3}"#).body
        // Instead of the network, which a page from a file has not.
        let script = """
            const said = {"/v1/overview": \(String(decoding: overview, as: UTF8.self)),
                          "/v1/rank": \(String(decoding: answer, as: UTF8.self))};
            window.fetch = async (path) => path in said
                ? new Response(JSON.stringify(said[path])) : new Response("{}", { status: 503 });
            addEventListener("load", () => setTimeout(() => {
                document.getElementById("ask-user").value = "ada";
                document.getElementById("ask-form").requestSubmit();
            }, 300));
            """
        try Data(script.utf8).write(to: folder.appendingPathComponent("said.js"))
        let page = String(decoding: try await gateway.ask(.get, "/").body, as: UTF8.self)
            .replacing("\"/dashboard.", with: "\"dashboard.")
            .replacing("</head>", with: #"<script src="said.js"></script></head>"#)
        try Data(page.utf8).write(to: folder.appendingPathComponent("page.html"))
        return try browse(folder.appendingPathComponent("page.html"), profile: folder)
    }

    private func browse(_ page: URL, profile: URL) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Browser.path))
        process.arguments = [
            "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=\(profile.path)/profile",
            "--virtual-time-budget=5000", "--dump-dom", page.absoluteString,
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let document = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: document, as: UTF8.self)
    }

    @Test("It draws the stage that a shard answers from, who may answer, and where candidates come from")
    func stages() async throws {
        let status = FakeReplies.status
            .replacing(#""exact":true,"#, with: #""exact":true,"stage":2,"slices":4,"#)
            .replacing(#""state":"current""#, with: #""state":"outdated""#)
            .replacing(#""answered":7"#, with: #""answered":7,"gateways":3"#)
        let coordinator = FakeCoordinator { request, id in
            if case .status = request { return .success(Data(status.utf8)) }
            return try FakeReplies.any(request, id)
        }
        let document = try await document(of: try TestGateway(coordinator))
        let text = document.replacing(/<[^>]*>/, with: " ").split(whereSeparator: \.isWhitespace)
            .joined(separator: " ")
        #expect(text.contains("answers from stage 2 of 4, exact"), "\(text)")
        #expect(text.contains("to be trained again") && !text.contains("older data"), "\(text)")
        #expect(document.contains(#"<span class="full"></span><span class="full"></span><span></span><span></span>"#))
        #expect(text.contains("gateways that may answer 3"), "\(text)")
        #expect(text.contains("Ranked: 50 candidates of 90 items (20 liked together with what is liked here,"))
        #expect(text.contains("Film i2 (i2)") && text.contains("shard 0 100.0 %"), "\(text)")
    }

    @Test("Where the base model answered, nothing is said of adapters; where one took part, of what kind it is")
    func baseModel() async throws {
        func text(adapters: Bool) async throws -> String {
            let coordinator = FakeCoordinator { request, id in
                guard case .query(let query) = request else { return try FakeReplies.any(request, id) }
                var answer = FakeReplies.answer(query)
                answer.exact = false
                if !adapters { answer.adapters = [] }
                return .success(try ReplyCoding.encode(answer))
            }
            return try await document(of: try TestGateway(coordinator))
        }
        let base = try await text(adapters: false)
        #expect(base.contains("the base model answered.") && !base.contains("took part are"))
        #expect(!base.contains("Approximate adapters"))
        let approximate = try await text(adapters: true)
        #expect(approximate.contains("Approximate adapters took part."))
        #expect(!approximate.contains("the base model answered"))
    }

    @Test("Of an adapter that was trained on everything it draws no stage, of an older coordinator no gateways")
    func whole() async throws {
        let document = try await document(of: try TestGateway())
        #expect(document.contains("quarantined") && !document.contains("answers from stage"))
        #expect(!document.contains("gateways that may answer"))
    }
}
