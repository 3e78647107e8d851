import Foundation
import Testing

@testable import Gateway

@Suite("The example that scales a cluster by its metrics")
struct ScalingExampleTests {
    private static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("cluster/examples/keda.yaml").path

    @Test("Every metric that it asks for is one that /metrics has, without labels")
    func names() async throws {
        let text = try String(contentsOfFile: Self.path, encoding: .utf8)
        let queries = text.split(separator: "\n").filter { $0.contains(" query: ") }
        #expect(queries.count == 2)
        let printed = String(decoding: try await TestGateway().ask(.get, "/metrics").body, as: UTF8.self)
        for query in queries {
            let names = query.matches(of: /lethe_[a-z_]+/).map { String($0.output) }
            #expect(!names.isEmpty, "\(query)")
            for name in names { #expect(printed.contains("\n\(name) "), "\(name)") }
        }
    }

    /// Whether this machine can read YAML.
    private static let readsYAML = (try? python("import yaml")) == 0

    @Test(
        "It is YAML: two ScaledObjects, each with its target and a Prometheus query under a threshold",
        .enabled(if: ScalingExampleTests.readsYAML, "there is no python3 with PyYAML"))
    func form() throws {
        let program = """
            import sys, yaml
            objects = list(yaml.safe_load_all(open(sys.argv[1])))
            assert [o["kind"] for o in objects] == ["ScaledObject"] * 2, objects
            for o in objects:
                assert o["apiVersion"] == "keda.sh/v1alpha1", o
                spec = o["spec"]
                assert spec["scaleTargetRef"]["name"] == o["metadata"]["name"], o
                assert 1 <= spec["minReplicaCount"] <= spec["maxReplicaCount"], o
                (trigger,) = spec["triggers"]
                assert trigger["type"] == "prometheus", o
                assert all(type(value) is str for value in trigger["metadata"].values()), o
                assert float(trigger["metadata"]["threshold"]) > 0, o
                assert "lethe_" in trigger["metadata"]["query"], o
            """
        #expect(try Self.python(program) == 0)
    }

    private static func python(_ program: String) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", program, path]
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }
}
