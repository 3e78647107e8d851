import Foundation
import PeerTestSupport
import Testing

@Suite("Very many connections to a coordinator", .serialized, .waiting)
struct ManyConnectionsTests {
    /// This process has as many open files as its connections need.
    private func raiseOwnLimit() throws {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { throw TestFailure("rlimit") }
        limit.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, 4096))
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        guard limit.rlim_cur >= 3000 else { throw TestFailure("this needs 3,000 open files") }
    }

    private func processor(_ cluster: TestCluster) throws -> Double {
        let process = try #require(cluster.coordinator?.process.processIdentifier)
        let text = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        // After the name, which may hold anything: state is the third field, times are the 14th and 15th.
        let fields = try #require(text.split(separator: ")").last).split(separator: " ")
        return try Double(#require(Int(fields[11])) + #require(Int(fields[12]))) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private func openFiles(_ cluster: TestCluster) throws -> Int {
        let process = try #require(cluster.coordinator?.process.processIdentifier)
        return try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
    }

    @Test("A small soft limit is raised at the start, and thousands of silent connections keep nobody out")
    func raised() throws {
        try raiseOwnLimit()
        let cluster = try TestCluster(limits: "-Sn 128", opensLoopback: true)
        let held = try (0..<2200).map { _ in try RawPeer(cluster.endpoint, greets: false) }
        for _ in 0..<3 { _ = try cluster.succeed("status") }
        let open = try openFiles(cluster)
        // Of those that said nothing 1,024 may stay for 15 s.
        #expect(open > 500 && open < 1400)
        withExtendedLifetime(held) {}
    }

    @Test("Beyond a hard limit whoever comes is turned away, clients get in, and nothing spins")
    func exhausted() throws {
        try raiseOwnLimit()
        let cluster = try TestCluster(limits: "-n 160", opensLoopback: true)
        let held = try (0..<600).map { _ in try RawPeer(cluster.endpoint, greets: false) }
        for _ in 0..<3 { _ = try cluster.succeed("status") }
        #expect(held.prefix(400).allSatisfy { $0.isClosed(within: 30) })
        let before = try processor(cluster)
        Thread.sleep(forTimeInterval: 0.5)
        #expect(try processor(cluster) - before < 0.25)
        #expect(try openFiles(cluster) <= 160)
    }
}
