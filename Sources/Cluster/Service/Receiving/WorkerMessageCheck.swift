import Files
import Foundation
import Messages

/// Decodes what workers say and checks what can be checked of it alone, on whichever thread.
struct WorkerMessageCheck: Sendable {
    let cluster: String
    /// The ledger's, raw Ed25519.
    let publicKey: Data

    func decoded(_ arrival: Arrival) -> Result<PeerMessage, any Error> {
        arrival.decoded.map { message in
            if case .worker(let said) = message { .worker(checked(said)) } else { message }
        }
    }

    /// An adapter whose bytes do not have the name that the worker gives them was damaged on the way.
    private func checked(_ message: WorkerMessage) -> WorkerMessage {
        switch message {
        case .hello(var hello):
            // Only what a coordinator of this cluster signed can end this one.
            hello.known = hello.known?.filter {
                $0.generation.isSigned(cluster: cluster, publicKey: publicKey)
            }
            return .hello(hello)
        // A stage that was damaged on the way does not answer; its training goes on.
        case .staged(_, let report, let bytes): return sha256(bytes) == report.adapter ? message : .heartbeat
        case .trained(let task, let report, let bytes):
            guard sha256(bytes) != report.adapter else { return message }
            return .failed(task: task, code: .contentName, message: "the adapter's bytes do not have its name")
        default: return message
        }
    }
}
