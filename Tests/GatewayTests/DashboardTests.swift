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
    ///
    /// - `more`: run with what is said in the place of the gateway.
    /// - `milliseconds`: of the page's own time.
    private func document(
        of gateway: TestGateway, more: String = "", milliseconds: Int = 5000
    ) async throws -> String {
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
            \(more)
            """
        try Data(script.utf8).write(to: folder.appendingPathComponent("said.js"))
        let page = String(decoding: try await gateway.ask(.get, "/").body, as: UTF8.self)
            .replacing("\"/dashboard.", with: "\"dashboard.")
            .replacing("</head>", with: #"<script src="said.js"></script></head>"#)
        try Data(page.utf8).write(to: folder.appendingPathComponent("page.html"))
        return try browse(folder.appendingPathComponent("page.html"), profile: folder, milliseconds: milliseconds)
    }

    private func browse(_ page: URL, profile: URL, milliseconds: Int) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Browser.path))
        process.arguments = [
            "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=\(profile.path)/profile",
            "--virtual-time-budget=\(milliseconds)", "--dump-dom", page.absoluteString,
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

    /// A worker that trains, and cannot keep a stage of it.
    private let trainingStatus = FakeReplies.status
        .replacing(#""activity":"up to date""#, with: #""activity":"training shard 0: step 3 of 9, loss 0.5""#)
        .replacing(
            #""workers":[]"#,
            with: """
                "workers":[{"id":"w","name":"w","state":"live","last_seen_seconds":0,"threads":1,"shards":[0],\
                "holds":[],"copies":[],"tasks":[{"kind":"train","shard":0,"description":"training shard 0: step 3 of 9",\
                "step":3,"steps":9,"loss":0.5,"unkept":"stage 2 is not kept"},\
                {"kind":"train","shard":1,"description":"training shard 1","unkept":"stage 1 is not kept"}]}]
                """)

    @Test("Progress is seen and not read out; what is not kept of a training stands with it")
    func announcement() async throws {
        let status = trainingStatus
        let coordinator = FakeCoordinator { request, id in
            if case .status = request { return .success(Data(status.utf8)) }
            return try FakeReplies.any(request, id)
        }
        let document = try await document(of: try TestGateway(coordinator))
        #expect(document.contains(#"<p id="announcement" class="heard" role="status">training shards 0, 1</p>"#))
        #expect(document.contains(">training shard 0: step 3 of 9, loss 0.5</p>"))
        #expect(document.contains("3 of 9, loss 0.500; stage 2 is not kept"))
        #expect(document.contains("training shard 1; stage 1 is not kept"))
    }

    /// Events that stop coming after the first, on a connection that stays; how often they were asked for, and what the page said.
    private static let dying = """
        const others = window.fetch;
        let streams = 0;
        window.fetch = async (path, options = {}) => {
            if (path !== "/v1/events") return others(path, options);
            document.body.dataset.streams = streams += 1;
            return new Response(new ReadableStream({ start(control) {
                const event = `event: overview\\ndata: ${JSON.stringify(said["/v1/overview"])}\\n\\n`;
                control.enqueue(new TextEncoder().encode(event));
                options.signal.addEventListener("abort", () => control.error(new DOMException("left", "AbortError")));
            } }));
        };
        addEventListener("load", () => {
            const line = document.getElementById("activity");
            new MutationObserver(() => { document.body.dataset.lines = `${document.body.dataset.lines}|${line.textContent}`; })
                .observe(line, { childList: true, characterData: true, subtree: true });
        });
        """

    @Test("Events that stop coming are asked for again, and the page says that what is shown may be old")
    func silence() async throws {
        let document = try await document(of: try TestGateway(), more: Self.dying, milliseconds: 40_000)
        #expect(document.contains(#"data-streams="2""#))
        #expect(document.contains("The gateway has said nothing for 25 s; what is shown may be old.|up to date"))
    }

    @Test("With another token nothing of what the one before was shown stays")
    func anotherToken() async throws {
        let refusing = """
            const others = window.fetch;
            window.fetch = async (path, options = {}) => (options.headers || {}).Authorization
                ? new Response(JSON.stringify({ title: "t", detail: "d" }), { status: 401 }) : others(path, options);
            addEventListener("load", () => setTimeout(() => {
                document.body.dataset.before = document.getElementById("requests").textContent.includes("first")
                    && document.getElementById("answer").textContent.includes("Film");
                document.getElementById("token").value = "weak";
                document.getElementById("token-form").requestSubmit();
            }, 2000));
            """
        let document = try await document(of: try TestGateway(), more: refusing)
        #expect(document.contains(#"data-before="true""#) && document.contains("The gateway asks for a token."))
        #expect(!document.contains("first") && !document.contains("Film") && !document.contains("quarantined"))
        #expect(document.contains(#"<tbody id="requests"></tbody>"#))
    }

    @Test("Of an adapter that was trained on everything it draws no stage, of an older coordinator no gateways")
    func whole() async throws {
        let document = try await document(of: try TestGateway())
        #expect(document.contains("quarantined") && !document.contains("answers from stage"))
        #expect(!document.contains("gateways that may answer"))
    }
}
