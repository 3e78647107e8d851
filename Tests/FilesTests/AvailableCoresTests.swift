import Files
import Foundation
import Testing

@Suite("How many cores a process may use")
struct AvailableCoresTests {
    /// On a machine with 16 cores.
    private func cores(_ groups: String, _ files: [String: String], running: Int = 16) -> AvailableCores {
        AvailableCores(running: running, groups: groups) { files[$0] }
    }

    private let root = "/sys/fs/cgroup"

    @Test("Without a quota it is those that it may run on, whatever the system says of groups")
    func unbounded() {
        let group = "0::/user.slice\n"
        #expect(cores(group, [:]).count == 16 && cores(group, [:]).quota == nil)
        for text in ["max 100000\n", "\n", "0 100000", "1 0", "100000 max"] {
            let files = ["\(root)/user.slice/cpu.max": text]
            #expect(cores(group, files).count == 16 && cores(group, files).quota == nil)
        }
        for text in ["", "\n", "0", "0:", "::", "nonsense", "a:b:c:d"] {
            #expect(cores(text, ["\(root)/cpu.max": "100000 100000"]).quota == nil, "\(text)")
        }
        // One that is as much as there are cores bounds nothing.
        #expect(cores(group, ["\(root)/cpu.max": "1600000 100000"]).quota == nil)
        #expect(cores("", [:], running: 0).count == 1)
    }

    @Test(
        "A quota of version 2 bounds it, rounded up, at least to one core",
        arguments: [
            ("200000 100000\n", 2), ("150000 100000", 2), ("100001 100000", 2), ("1000 100000", 1), ("50000", 1),
            ("400000", 4), ("30000 10000", 3), ("9223372036854775807 1", 16),
        ])
    func unified(text: String, count: Int) {
        let file = "\(root)/system.slice/worker.service/cpu.max"
        let found = cores("0::/system.slice/worker.service\n", [file: text])
        #expect(found.count == count && found.quota == (count < 16 ? file : nil))
    }

    @Test("The least of the group's and of those that it lies in counts, of equal ones the one farthest up")
    func nested() {
        let group = "0::/a.slice/b.service"
        let (outer, inner) = ("\(root)/a.slice/cpu.max", "\(root)/a.slice/b.service/cpu.max")
        let outside = cores(group, [outer: "200000 100000", inner: "400000 100000"])
        #expect(outside.count == 2 && outside.quota == outer)
        let inside = cores(group, [outer: "400000 100000", inner: "200000 100000", "\(root)/cpu.max": "max 100000"])
        #expect(inside.count == 2 && inside.quota == inner)
        #expect(cores(group, [outer: "300000 100000", inner: "300000 100000"]).quota == outer)
    }

    @Test("In a container the root is the container's own, also where the group's path is the machine's")
    func container() {
        for group in ["0::/", "0::/../../other", "0::/docker/0a1b"] {
            #expect(cores(group, ["\(root)/cpu.max": "300000 100000"]).count == 3, "\(group)")
        }
    }

    @Test("A quota of version 1 bounds it as well, also beside version 2")
    func separate() {
        let groups = "12:cpuset:/\n4:cpu,cpuacct:/batch:1\n1:name=systemd:/batch\n0::/batch\n"
        for mount in ["cpu", "cpu,cpuacct"] {
            let folder = "\(root)/\(mount)/batch:1"
            let (quota, period) = (folder + "/cpu.cfs_quota_us", folder + "/cpu.cfs_period_us")
            let found = cores(groups, [quota: "250000\n", period: "100000\n"])
            #expect(found.count == 3 && found.quota == quota)
            #expect(cores(groups, [quota: "-1\n", period: "100000\n"]).count == 16)
            #expect(cores(groups, [quota: "100000\n", period: "50000\n"]).count == 2)
        }
        #expect(cores(groups, ["\(root)/unified/batch/cpu.max": "100000 100000"]).count == 1)
        #expect(cores("5:cpuacct:/batch", ["\(root)/cpu/batch/cpu.cfs_quota_us": "100000"]).count == 16)
    }

    @Test("Of this process it is at least one, and no more than it may run on")
    func current() {
        let current = AvailableCores.current
        #expect((1...ProcessInfo.processInfo.activeProcessorCount).contains(current.count))
        #expect(current.quota.map { FileManager.default.fileExists(atPath: $0) } ?? true)
    }
}
