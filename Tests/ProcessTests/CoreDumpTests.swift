import Foundation
import Testing

@Suite("Core dumps", .waiting)
struct CoreDumpTests {
    /// What the kernel would write of a process: the limits of a file, and which memory.
    private func rules(_ process: LetheProcess) throws -> [String] { try rules("\(process.process.processIdentifier)") }

    private func rules(_ process: String) throws -> [String] {
        let limits = try String(contentsOfFile: "/proc/\(process)/limits", encoding: .utf8).split(separator: "\n")
        let core = try #require(limits.first { $0.hasPrefix("Max core file size") })
        let filter = try String(contentsOfFile: "/proc/\(process)/coredump_filter", encoding: .utf8)
        return core.split(separator: " ").dropFirst(4).prefix(2).map(String.init)
            + [filter.trimmingCharacters(in: .newlines)]
    }

    @Test("Who holds people's data or keys in memory leaves none, unless somebody asks for it")
    func none() throws {
        let cluster = try TestCluster()
        let worker = try cluster.startWorker(0)
        let debugged = try cluster.startWorker(1, environment: ["LETHE_CORE_DUMPS": "allow"])
        try cluster.waitForWorkers(2)
        let gateway = try GatewayProcess(cluster)
        for process in [try #require(cluster.coordinator), worker, gateway.process] {
            #expect(try rules(process) == ["0", "0", "00000000"])
        }
        #expect(try rules(debugged) == rules("self"))
    }
}
