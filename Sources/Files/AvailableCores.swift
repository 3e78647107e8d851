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
        running: ProcessInfo.processInfo.activeProcessorCount, groups: ControlGroups.own, read: ControlGroups.text)

    /// - `running`: the cores that the process may run on.
    /// - `groups`: what the system says of its control groups, as in `/proc/self/cgroup` (cgroups(7)).
    /// - `read`: the text of a file; nil: there is none.
    package init(running: Int, groups: String, read: (String) -> String?) {
        let running = max(running, 1)
        var (count, quota) = (running, String?.none)
        for (file, cores) in Self.quotas(ControlGroups(groups), read: read) {
            guard cores < Double(running), cores <= Double(count) else { continue }
            (count, quota) = (max(Int(cores), 1), file)
        }
        (self.count, self.quota) = (count, quota)
    }

    /// In cores, whole ones.
    private static func quotas(
        _ groups: ControlGroups, read: (String) -> String?
    ) -> [(file: String, cores: Double)] {
        groups.folders(of: "cpu").compactMap { folder in
            let file = folder.path + (folder.isUnified ? "/cpu.max" : "/cpu.cfs_quota_us")
            let period = folder.isUnified ? "" : read(folder.path + "/cpu.cfs_period_us") ?? ""
            return read(file).flatMap { cores($0 + " " + period) }.map { (file, $0) }
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
}
