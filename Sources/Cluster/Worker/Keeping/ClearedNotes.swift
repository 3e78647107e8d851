import Files
import Foundation
import Messages

/// The notes that lie in a worker's directory until the coordinator was told.
enum ClearedNotesFile {
    static func read(in directory: String) -> [ClearedNote] {
        guard let bytes = AtomicFile.contents("\(directory)/\(WorkerFiles.cleared)") else { return [] }
        return (try? WireJSON.decode([ClearedNote].self, from: bytes, kind: WorkerFiles.cleared)) ?? []
    }

    static func add(_ notes: [ClearedNote], in directory: String) throws(TaskFailure) {
        let known = read(in: directory)
        let new = notes.filter { !known.contains($0) }
        if !new.isEmpty { try write(known + new, in: directory) }
    }

    static func remove(_ notes: [ClearedNote], in directory: String) throws(TaskFailure) {
        let known = read(in: directory)
        let rest = known.filter { !notes.contains($0) }
        if rest.count < known.count { try write(rest, in: directory) }
    }

    private static func write(_ notes: [ClearedNote], in directory: String) throws(TaskFailure) {
        let bytes: [UInt8]
        do throws(WireError) {
            bytes = try WireJSON.encode(notes, kind: WorkerFiles.cleared)
        } catch {
            throw TaskFailure(code: .storage, message: "\(error)")
        }
        try KeptFile.write(bytes, to: "\(directory)/\(WorkerFiles.cleared)")
    }
}

/// What is still to be said of the notes. Pure.
///
/// Messages are not acknowledged: one counts as delivered when the connection still brings something a second later.
struct ClearedNotes: Sendable {
    static let delivery = 1.0
    private var pending: [ClearedNote] = []
    private var said: [(note: ClearedNote, at: Double)] = []

    mutating func add(_ notes: [ClearedNote]) {
        for note in notes where !pending.contains(note) && !said.contains(where: { $0.note == note }) {
            pending.append(note)
        }
    }

    /// What to tell the coordinator of this cluster now.
    mutating func take(for cluster: String, at now: Double) -> [ClearedNote] {
        let due = pending.filter { $0.cluster == nil || $0.cluster == cluster }
        pending.removeAll { due.contains($0) }
        said += due.map { ($0, now) }
        return due
    }

    /// Something came: what was said long enough ago is delivered.
    mutating func received(at now: Double) -> [ClearedNote] {
        let done = said.filter { now - $0.at >= Self.delivery }.map(\.note)
        said.removeAll { done.contains($0.note) }
        return done
    }

    mutating func disconnected() {
        pending += said.map(\.note)
        said = []
    }
}
