import Messages
import Recommendation

/// How an import is to deal people who are new, as `import --check` looks at it: who is new, only the cluster knows.
struct ListedDealing {
    let toLast: Bool
    /// As identifiers are written; nil: no list was given.
    let leavers: Set<String>?

    init(_ people: NewPeople?, leavers: [String]?) {
        toLast = people == .last
        self.leavers = leavers.map(Set.init)
    }

    var isByHash: Bool { !toLast && leavers == nil }

    /// - `users`: those that the files name.
    func found(in users: [String]) -> Int? {
        leavers.map { leavers in
            Set(users.compactMap { try? Identifier.canonical($0) }).count { leavers.contains($0) }
        }
    }
}
