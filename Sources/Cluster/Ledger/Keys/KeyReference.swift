/// Names a key: where it lies, and which of all the keys that ever lay there it is.
///
/// Kept beside what the key seals. Neither number says anything about the key.
package struct KeyReference: Hashable, Sendable {
    /// From 0.
    package var slot: Int64
    /// Random, not 0, new for every key: slots are used again, ids are not.
    package var id: Int64

    package init(slot: Int64, id: Int64) {
        self.slot = slot
        self.id = id
    }
}
