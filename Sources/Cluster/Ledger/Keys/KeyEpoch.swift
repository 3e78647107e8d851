import Crypto
import Files
import Foundation
import Messages

/// Which state of its keys a folder or a database is of: another one with every start, and with every transaction that makes keys
/// or gives some up.
///
/// The counter says which of two is the older one; the random value tells copies apart that went on separately.
package struct KeyEpoch: Codable, Hashable, Sendable {
    /// From 1.
    package var counter: Int64
    package var value: Int64

    package init(counter: Int64, value: Int64) {
        self.counter = counter
        self.value = value
    }

    /// What JSON carries whole.
    static let largest: Int64 = 1 << 53

    /// One that comes after these.
    static func after(_ epochs: KeyEpoch?...) -> KeyEpoch {
        let last = epochs.compactMap { $0?.counter }.max() ?? 0
        return KeyEpoch(counter: min(last, largest - 1) + 1, value: .random(in: 1...largest))
    }
}

/// What the database says of its epoch.
struct RecordedKeyEpoch: Codable {
    var present: KeyEpoch
    /// What the folder has until it has the present one; nil: none, as a release before left it.
    var before: KeyEpoch?
    /// A start is under way that took the folder as it was: what has no key in it is still to be set aside. nil: all of it is.
    var acceptsMissing: Bool?
}

/// How a key folder and a database stand to each other.
enum KeyFolderAge {
    /// They belong together: whose key is missing is damaged, and nobody else.
    case same
    /// Killed between a commit and the keys that it gave up; an older folder looks like it, but then keys are missing, unless
    /// nothing was done with it that is not done again now. Or neither has an epoch yet.
    case unsettled(KeyEpoch?)
    /// Another folder was used after this one, or a copy of it.
    case folderIsOlder
    /// A database was used with this folder after this one.
    case databaseIsOlder

    init(folder: KeyEpoch?, _ recorded: RecordedKeyEpoch?) {
        guard let recorded else {
            self = folder == nil ? .unsettled(nil) : .databaseIsOlder
            return
        }
        if folder == recorded.present {
            self = .same
        } else if folder == recorded.before {
            self = .unsettled(folder)
        } else if let folder, folder.counter > recorded.present.counter {
            self = .databaseIsOlder
        } else {
            self = .folderIsOlder
        }
    }
}

extension KeyEpoch {
    static let size = 24

    /// As it lies in the file of keys: counter, value and eight bytes of a checksum, least significant byte first.
    var bytes: [UInt8] {
        let numbers = [counter, value].flatMap { number in withUnsafeBytes(of: number.littleEndian) { Array($0) } }
        return numbers + Array(SHA256.hash(data: numbers).prefix(8))
    }

    /// nil: damaged, or not there.
    init?(_ page: [UInt8], at offset: Int) {
        guard page.count >= offset + Self.size else { return nil }
        func number(at start: Int) -> Int64 {
            (0..<8).reduce(0) { $0 | Int64(truncatingIfNeeded: page[offset + start + $1]) << Int64(8 * $1) }
        }
        self.init(counter: number(at: 0), value: number(at: 8))
        guard (1...Self.largest).contains(counter), bytes == Array(page[offset..<offset + Self.size]) else {
            return nil
        }
    }
}

/// The epoch's two places in the file of keys, written in turn: the one of before is there until the next is.
struct KeyEpochPlaces {
    private(set) var epoch: KeyEpoch?
    private var last = 1

    /// Of a new file.
    init() {}

    init(_ file: KeySlotFile) throws {
        for (place, offset) in file.header.layout.epochs.enumerated() {
            let note = try file.note(at: offset, KeyEpoch.size)
            guard let found = KeyEpoch(note, at: 0), found.counter > epoch?.counter ?? 0 else { continue }
            (epoch, last) = (found, place)
        }
    }

    /// Not durable before the file is synced, which is to be told (`synced`).
    func write(_ epoch: KeyEpoch, to file: KeySlotFile) throws {
        try file.write(note: epoch.bytes, at: file.header.layout.epochs[1 - last])
    }

    mutating func synced(_ epoch: KeyEpoch) { (self.epoch, last) = (epoch, 1 - last) }
}
