import Foundation

extension KeyFolder {
    /// Lays a file of a release before out as today's are. Slots, names of keys and the epoch stay, and keys are sealed as they were;
    /// what is damaged stays so. The caller holds the folder's lock.
    ///
    /// - `interrupt`: throws where the process is to be killed, for tests.
    package static func move(_ folder: URL, _ interrupt: (ExchangeStep) throws -> Void = { _ in }) throws {
        _ = try exchange(folder, interrupt) { slots, path in
            var header = slots.header
            header.layout = .present
            let copy = try emptyCopy(of: slots, header, at: path)
            var count = 0
            for piece in slots.pieces {
                try slots.withSlots(piece) { all in
                    let used = piece.filter { !KeySlot.isEmpty(all.slot($0, of: piece)) }
                    try copy.write(used) { run, target in
                        for slot in run {
                            UnsafeMutableRawBufferPointer(rebasing: target[target.indices(of: slot, in: run)])
                                .copyMemory(from: all.slot(slot, of: piece))
                        }
                    }
                    count += used.count
                }
            }
            try copy.sync()
            return count
        }
    }
}
