/// Where the bounds of a process's control groups stand (cgroups(7)): of containers, of services.
package struct ControlGroups {
    package struct Folder: Hashable {
        package let path: String
        /// Of version 2.
        package let isUnified: Bool
    }

    private let text: String

    /// - `text`: what the system says of the groups, as in `/proc/self/cgroup`: lines of the number of a hierarchy, its controllers
    ///   and the group, as in "0::/user.slice" (version 2) or "4:cpu,cpuacct:/batch" (version 1).
    package init(_ text: String) { self.text = text }

    /// What the system says of this process.
    package static var own: String { text(of: "/proc/self/cgroup") ?? "" }

    /// nil: there is no such file.
    package static func text(of path: String) -> String? {
        AtomicFile.contents(path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Of each hierarchy of the controller, from the group itself up to the root.
    package func folders(of controller: Substring) -> [Folder] {
        text.split(separator: "\n").flatMap { Self.folders(line: $0, controller) }
    }

    private static func folders(line: Substring, _ controller: Substring) -> [Folder] {
        let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3 else { return [] }
        let controllers = fields[1].split(separator: ",")
        let isUnified = fields[0] == "0" && controllers.isEmpty
        guard isUnified || controllers.contains(controller) else { return [] }
        var names = fields[2].split(separator: "/")
        // Seen from within a namespace of its own the group may lie beside what can be seen.
        if names.contains("..") { names = [] }
        let roots = isUnified ? ["", "/unified"] : ["/" + controller, "/" + fields[1]]
        return roots.flatMap { root in
            (0...names.count).reversed().map { depth in
                Folder(
                    path: "/sys/fs/cgroup\(root)" + names[..<depth].map { "/" + $0 }.joined(), isUnified: isUnified)
            }
        }
    }
}
