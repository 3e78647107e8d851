import Messages

/// What each key may say, and which worker it may be. Looked up for every message in the list that is in force, not in the one of
/// when its connection was made. A value.
package struct KeyAdmission: Sendable {
    package private(set) var list: AllowList
    /// Ids of workers by keys that are bound to the first worker that used them.
    package private(set) var bindings: [String: String]

    package init(_ list: AllowList, bindings: [String: String] = [:]) {
        self.list = list
        self.bindings = bindings
    }

    /// Why the key may not say this; nil: it may.
    ///
    /// - `key`: Z85; nil: there is none, which is nobody's.
    package func objection(to message: PeerMessage, from key: String?) -> ClientError? {
        guard let grant = key.flatMap(list.grant) else {
            return refused("this key is not on the coordinator's list of keys any more")
        }
        guard !message.roles.isDisjoint(with: grant.entry.roles) else {
            let needed = message.roles.sorted().map(\.rawValue).joined(separator: " or ")
            let own = grant.entry.roles.sorted().map(\.rawValue).joined(separator: ", ")
            return refused(
                "the key \(grant.name) may not \(message.purpose): that needs the role \(needed), and it has \(own)")
        }
        guard case .worker(.hello(let hello)) = message else { return nil }
        return objection(toWorker: hello.worker, named: hello.claim, of: grant)
    }

    /// Why the key may not be this worker; nil: it may.
    package func objection(toWorker id: String, named name: String, key: String?) -> ClientError? {
        guard let grant = key.flatMap(list.grant), grant.entry.roles.contains(.worker) else {
            return refused("this key may not be a worker any more")
        }
        return objection(toWorker: id, named: name, of: grant)
    }

    private func objection(toWorker id: String, named name: String, of grant: AllowList.Grant) -> ClientError? {
        if let holder = holder(of: id), holder.entry.key != grant.entry.key {
            return refused(
                "the worker \(id.clipped) belongs to the key \(holder.name), not to \(grant.name): start it with that key, or "
                    + "take that key from the list of keys")
        }
        let other: String
        switch grant.entry.worker {
        case .any: return nil
        case .worker(let bound):
            if bound == id { return nil }
            other = "the worker \(bound)"
        case .named(let bound):
            if WorkerBinding.isName(bound, of: name) { return nil }
            let made = WorkerBinding.objection(toMadeName: bound, of: name)
            other = "workers named \(bound), not \(name.clipped.printable)" + (made.map { "; \($0)" } ?? "")
        case .firstUse:
            guard let bound = bindings[grant.entry.key.text], bound != id else { return nil }
            other = "the worker \(bound), the first that used it"
        }
        return refused(
            "the key \(grant.name) is for \(other): give this one a key of its own, or have the list of keys say worker="
                + "\(id.clipped) or worker=any for this key")
    }

    /// Whose the worker is, and nobody else's.
    private func holder(of id: String) -> AllowList.Grant? {
        list.grants.first { grant in
            guard grant.entry.roles.contains(.worker) else { return false }
            return switch grant.entry.worker {
            case .worker(let bound): bound == id
            case .firstUse: bindings[grant.entry.key.text] == id
            case .named, .any: false
            }
        }
    }

    /// The worker was taken in.
    ///
    /// - Returns: the key's name, where it is bound to this worker from now on, which must be kept; nil: nothing changes.
    package mutating func tookIn(worker id: String, key: String?) -> String? {
        guard let key, let grant = list.grant(of: key), grant.entry.roles.contains(.worker),
            grant.entry.worker == .firstUse, bindings[key] == nil
        else { return nil }
        // What is kept grows with the list, not with the keys that were ever on it.
        bindings = bindings.filter { list.grant(of: $0.key) != nil }
        bindings[key] = id
        return grant.name
    }

    /// Which workers that are here stay under the list in force: the first of a key that is for one worker keeps it, as if it came
    /// now.
    ///
    /// - `workers`: in the order in which they came.
    /// - Returns: for each the key's name where it is bound to the worker from now on, which must be kept; or why it may not stay.
    package mutating func review(
        _ workers: [(id: String, claim: String, key: String?)]
    ) -> [Result<String?, ClientError>] {
        workers.map { worker in
            if let objection = objection(toWorker: worker.id, named: worker.claim, key: worker.key) {
                return .failure(objection)
            }
            return .success(tookIn(worker: worker.id, key: worker.key))
        }
    }

    /// Another list is in force.
    package mutating func replace(_ new: AllowList) -> (new: Int, changed: Int, gone: Int) {
        defer { list = new }
        let before = new.grants.map { (now: $0.entry, then: list.grant(of: $0.entry.key.text)?.entry) }
        return (
            before.count { $0.then == nil }, before.count { $0.then != nil && $0.then != $0.now },
            list.grants.count { new.grant(of: $0.entry.key.text) == nil }
        )
    }

    private func refused(_ message: String) -> ClientError { ClientError(code: .notAllowed, message: message) }
}

extension PeerMessage {
    /// Behind "may not".
    fileprivate var purpose: String {
        switch self {
        case .worker: "be a worker"
        case .request(_, .serving): "answer questions as a gateway (--allow-gateway)"
        case .request(_, let request): "ask for this (\(request.auditName))"
        }
    }
}
