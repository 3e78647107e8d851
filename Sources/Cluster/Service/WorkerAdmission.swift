import Coordination
import Messages

/// How many workers one key, and one machine, may bring in: nobody fills the cluster alone.
package struct WorkerAdmission {
    /// Places in a cluster.
    package struct Limits: Sendable {
        package var ofOneKey = CoordinatorLimits.workers * 3 / 4
        package var ofOneAddress = CoordinatorLimits.workers / 2

        package init() {}
    }

    private struct Origin {
        var key: String?
        var address: String?
        /// Who came before has a smaller one.
        var number: UInt64
    }

    private let limits: Limits
    private var origins: [PeerID: Origin] = [:]
    private var next: UInt64 = 0

    package init(_ limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Connections of workers that were let in, with their keys, in the order in which they came.
    package var keys: [(peer: PeerID, key: String?)] {
        origins.sorted { $0.value.number < $1.value.number }.map { ($0.key, $0.value.key) }
    }

    /// - `before`: where the worker was until now, or was lost; it counts once, however soon the old connection is gone.
    /// - `isHere`: whether a worker that counts is at the connection still, or was lost there and may be heard again.
    /// - Returns: why a worker that greets from there is not let in; nil: it is.
    package mutating func objection(
        to peer: PeerID, from before: PeerID? = nil, key: String?, address: String?, isHere: (PeerID) -> Bool
    ) -> ClientError? {
        origins = origins.filter { isHere($0.key) }
        let others = origins.filter { $0.key != peer && $0.key != before }.values
        if let key, others.count(where: { $0.key == key }) >= limits.ofOneKey {
            return ClientError(
                code: .full,
                message: "as many workers as one key may bring are here; give other workers a key of their own")
        }
        // Without keys everybody is on this machine.
        if key != nil, let address, others.count(where: { $0.address == address }) >= limits.ofOneAddress {
            return ClientError(code: .full, message: "as many workers as one machine may bring are here")
        }
        origins[peer] = Origin(key: key, address: address, number: origins[peer]?.number ?? next)
        next += 1
        return nil
    }
}
