/// Where what lies in the file of slots, by its format.
struct KeyFileLayout: Hashable {
    /// As the header says.
    var format: UInt32
    /// Where the number of slots is noted, in two places written one after the other: one is always whole.
    var counts: [Int]
    /// Where the epoch is noted, in one of two places in turn: the one of before is there until the next is.
    var epochs: [Int]
    /// How much lies around each of these places that is nothing else's: as much is written with it.
    var room: Int
    /// Where the first slot begins.
    var slots: Int

    /// What is written in place lies on pages of its own: a write that was cut short, on a disk whose sectors are as large as a page,
    /// takes along neither the header nor the other place.
    static let present = KeyFileLayout(
        format: 2, counts: [4096, 8192], epochs: [3 * 4096, 4 * 4096], room: 4096, slots: 5 * 4096)
    /// Of a release before: all in the first page, each in 512 bytes of its own. The first start moves it.
    static let former = KeyFileLayout(
        format: 1, counts: [512, 1024], epochs: [1536, 2048], room: 512, slots: 4096)

    /// nil: a later release's.
    init?(format: UInt32) {
        guard let known = [Self.former, .present].first(where: { $0.format == format }) else { return nil }
        self = known
    }

    private init(format: UInt32, counts: [Int], epochs: [Int], room: Int, slots: Int) {
        (self.format, self.counts, self.epochs, self.room, self.slots) = (format, counts, epochs, room, slots)
    }
}
