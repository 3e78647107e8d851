import Foundation

/// How much memory this process may take: the machine's, and no more than its control groups (containers, services) are given.
package struct AvailableMemory: Hashable, Sendable {
    package let bytes: Int
    /// The file whose bound is less than the machine has, of several the one farthest up; nil: none is.
    package let bound: String?

    /// As it is now.
    package static var current: AvailableMemory {
        AvailableMemory(
            machine: Int(clamping: ProcessInfo.processInfo.physicalMemory), groups: ControlGroups.own,
            read: ControlGroups.text)
    }

    /// - `machine`: bytes that the machine has.
    /// - `groups`: what the system says of its control groups, as in `/proc/self/cgroup`.
    /// - `read`: the text of a file; nil: there is none.
    package init(machine: Int, groups: String, read: (String) -> String?) {
        var (bytes, bound) = (machine, String?.none)
        for folder in ControlGroups(groups).folders(of: "memory") {
            let file = folder.path + (folder.isUnified ? "/memory.max" : "/memory.limit_in_bytes")
            // "max", and a number beyond any machine's, are no bound.
            guard let most = read(file).flatMap({ Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }), most > 0,
                most < machine, most <= bytes
            else { continue }
            (bytes, bound) = (most, file)
        }
        (self.bytes, self.bound) = (bytes, bound)
    }
}
