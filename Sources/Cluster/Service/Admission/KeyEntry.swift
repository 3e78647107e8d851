import Coordination
import Foundation
import Messages
import ZeroMQ

/// What one key on the list may do.
package struct KeyEntry: Hashable, Sendable {
    package var key: CurvePublicKey
    package var roles: Set<KeyRole>
    /// What logs call it; nil: by the key's beginning.
    package var name: String?
    /// Of the role `worker`.
    package var worker: WorkerBinding

    package init(key: CurvePublicKey, roles: Set<KeyRole>, name: String? = nil, worker: WorkerBinding = .firstUse) {
        self.key = key
        self.roles = roles
        self.name = name
        self.worker = worker
    }

    /// Why this is no name of a key; nil: it is one.
    package static func objection(toName name: String) -> String? {
        if let objection = ClientName.objection(to: name, of: "a key") { return objection }
        if name.contains(where: \.isWhitespace) || name.contains("#") { return "a name has no blanks and no # in it" }
        if name == ClientTicket.nameWithoutKey { return "\(name) is what the log calls those without a key" }
        if (try? CurvePublicKey(name)) != nil { return "a name is no key" }
        return nil
    }
}

/// Which worker a key with the role `worker` may be.
package enum WorkerBinding: Hashable, Sendable, CustomStringConvertible {
    /// The first one that uses it, from then on.
    case firstUse
    case worker(id: String)
    /// Whichever calls itself so: `node7` is also the host of `node7:4711` and of `node7-2`.
    case named(String)
    /// However many.
    case any

    /// As it stands in the list behind `worker=`, and on the command line: `any`, the id of a worker, or a name.
    package init(_ text: String) {
        if text == Self.any.description {
            self = .any
        } else if let id = UUID(uuidString: text) {
            self = .worker(id: id.uuidString)
        } else {
            self = .named(text)
        }
    }

    package var description: String {
        switch self {
        case .firstUse: "the first that uses it"
        case .worker(let id): id
        case .named(let name): name
        case .any: "any"
        }
    }

    /// Whether a worker's own name is the one of a binding.
    static func isName(_ name: String, of worker: String) -> Bool {
        guard worker.hasPrefix(name) else { return false }
        let rest = worker.dropFirst(name.count)
        // A host and a process, or a host and a number.
        return rest.isEmpty || rest.first == ":"
            || (rest.count > 1 && rest.first == "-" && rest.dropFirst().allSatisfy(\.isWholeNumber))
    }
}
