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

    private static let (firstWord, anyWord) = ("first", "any")

    /// As it stands in the list behind `worker=`, and on the command line: `first`, `any`, the id of a worker, or a name.
    ///
    /// - Throws: `AllowListError` for what is no name, or a word of these in other letters.
    package init(_ text: String) throws(AllowListError) {
        switch text {
        case Self.firstWord: self = .firstUse
        case Self.anyWord: self = .any
        default:
            if let id = UUID(uuidString: text) {
                self = .worker(id: id.uuidString)
            } else {
                if let objection = Self.objection(toName: text) { throw AllowListError(objection) }
                self = .named(text)
            }
        }
    }

    /// Why no key can be bound to this name; nil: one can.
    package static func objection(toName name: String) -> String? {
        if let objection = KeyEntry.objection(toName: name) { return objection }
        guard let word = [firstWord, anyWord].first(where: { $0 == name.lowercased() }) else { return nil }
        let meaning = word == anyWord ? "however many workers" : "the first worker that uses the key"
        return "no key is bound to the name \(name), which looks like worker=\(word): \(meaning)"
    }

    package var description: String {
        switch self {
        case .firstUse: "the first that uses it"
        case .worker(let id): id
        case .named(let name): name
        case .any: Self.anyWord
        }
    }

    /// Why this is none of the names of a worker that looks as if it had it; nil: it does not look so.
    ///
    /// A name that the coordinator makes, of the host and the smallest number that is free, binds nothing: whoever comes first with
    /// the same host has it.
    static func objection(toMadeName name: String, of worker: String) -> String? {
        let host = WorkerName.host(of: worker)
        guard worker != name, WorkerName.isNumbered(name, host: host) else { return nil }
        return
            "\(name.printable) is what the coordinator may call a worker of the host \(host.printable) that has no --name, which "
            + "depends on who comes first, so no key is bound to it: start the worker with --name \(name.printable), or bind the "
            + "key to its host (worker=\(host.printable))"
    }

    /// What a key that is bound to a name is for; nil: it is bound to none.
    package var meaning: String? {
        guard case .named(let name) = self else { return nil }
        return
            "\(name) is a worker that is started with --name \(name), or whose host is called so; what the coordinator calls "
            + "workers without --name (the host and a number) is not looked at"
    }

    /// Whether what a worker calls itself is the name of a binding.
    static func isName(_ name: String, of worker: String) -> Bool {
        guard worker.hasPrefix(name) else { return false }
        let rest = worker.dropFirst(name.count)
        // A host and a process, or a host and a number.
        return rest.isEmpty || rest.first == ":"
            || (rest.count > 1 && rest.first == "-" && rest.dropFirst().allSatisfy(\.isWholeNumber))
    }
}
