import Foundation

/// How many cores this process may use: those that it may run on, and no more than the quotas of processor time of its control
/// groups (containers, services) come to, rounded up. More threads than that would wait for each other.
package struct AvailableCores: Hashable, Sendable {
    /// At least 1.
    package let count: Int
    /// The file whose quota is less than the cores that it may run on, of several the one farthest up; nil: no quota is.
    package let quota: String?

    /// As it was when it was first asked for.
    package static let current = AvailableCores(
        running: ProcessInfo.processInfo.activeProcessorCount, groups: text(of: "/proc/self/cgroup") ?? "", read: text)

    /// - `running`: the cores that the process may run on.
    /// - `groups`: what the system says of its control groups, as in `/proc/self/cgroup` (cgroups(7)).
    /// - `read`: the text of a file; nil: there is none.
    package init(running: Int, groups: String, read: (String) -> String?) {
        let running = max(running, 1)
        var (count, quota) = (running, String?.none)
        for line in groups.split(separator: "\n") {
            for (file, cores) in Self.quotas(of: line, read: read) {
                guard cores < Double(running), cores <= Double(count) else { continue }
                (count, quota) = (max(Int(cores), 1), file)
            }
        }
        (self.count, self.quota) = (count, quota)
    }

    /// Of one hierarchy, from the group itself up to the root; in cores, whole ones.
    ///
    /// - Parameter line: number of the hierarchy, its controllers and the group, as in "0::/user.slice" (version 2) or
    ///   "4:cpu,cpuacct:/batch" (version 1).
    private static func quotas(
        of line: Substring, read: (String) -> String?
    ) -> [(file: String, cores: Double)] {
        let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3 else { return [] }
        let controllers = fields[1].split(separator: ",")
        let isUnified = fields[0] == "0" && controllers.isEmpty
        guard isUnified || controllers.contains("cpu") else { return [] }
        var names = fields[2].split(separator: "/")
        // Seen from within a namespace of its own the group may lie beside what can be seen.
        if names.contains("..") { names = [] }
        let roots = isUnified ? ["", "/unified"] : ["/cpu", "/" + fields[1]]
        return roots.flatMap { root in
            (0...names.count).reversed().compactMap { depth in
                let folder = "/sys/fs/cgroup\(root)" + names[..<depth].map { "/" + $0 }.joined()
                let file = folder + (isUnified ? "/cpu.max" : "/cpu.cfs_quota_us")
                let period = isUnified ? "" : read(folder + "/cpu.cfs_period_us") ?? ""
                return read(file).flatMap { cores($0 + " " + period) }.map { (file, $0) }
            }
        }
    }

    /// - Parameter text: microseconds of processor time, and of the period in which it may take these, usually 100,000. "max" and
    ///   what is not above 0 are no bound.
    private static func cores(_ text: String) -> Double? {
        let numbers = text.split(whereSeparator: \.isWhitespace).map { Int($0) }
        guard let quota = numbers.first.flatMap(\.self), quota > 0 else { return nil }
        guard let period = numbers.count > 1 ? numbers[1] : 100_000, period > 0 else { return nil }
        return (Double(quota) / Double(period)).rounded(.up)
    }

    private static func text(of path: String) -> String? {
        AtomicFile.contents(path).map { String(decoding: $0, as: UTF8.self) }
    }
}
