import ClusterTestSupport
import Compute
import Foundation
import Messages
import Recommendation
import Testing
import Worker

@Suite("A worker's disk that somebody changed")
final class WorkerTamperingTests {
    let shelf = SealedShelf()
    let prompts = Toy.prompts(0..<9)

    /// The parts of a file with prompts: its header, and name, length and box of each person.
    private struct Parts {
        var header: [UInt8]
        var boxes: [(name: [UInt8], box: [UInt8])] = []

        init(_ file: [UInt8]) throws {
            let end = try #require(file.firstIndex(of: 10)) + 1
            header = Array(file[..<end])
            var position = end
            while position < file.count {
                let length = (0..<8).reduce(0) { $0 | Int(file[position + 8 + $1]) << (8 * $1) }
                boxes.append(
                    (
                        Array(file[position..<(position + 8)]),
                        Array(file[(position + 16)..<(position + 16 + length)])
                    ))
                position += 16 + length
            }
        }

        var file: [UInt8] {
            boxes.reduce(header) { file, part in
                let length = (0..<8).map { UInt8(truncatingIfNeeded: part.box.count >> (8 * $0)) }
                return file + part.name + length + part.box
            }
        }

        mutating func replaceHeader(_ text: String, by other: String) {
            header = Array(String(decoding: header, as: UTF8.self).replacingOccurrences(of: text, with: other).utf8)
        }
    }

    /// Whatever the file says: what the store claims after the keys came is true, and the rest is asked for.
    private func check(_ file: [UInt8], _ what: String) throws {
        try shelf.write(file)
        let store = try ShardStore(directory: shelf.directory)
        // What a hello says of it can be sent.
        let hello = WorkerMessage.hello(
            .init(
                worker: "w", name: "n", protocolVersion: 6, base: "b", precision: .f32, arithmetic: "a", threads: 1,
                copies: store.copies))
        #expect(throws: Never.self, "\(what)") { try WorkerMessage(frames: hello.frames()) }
        switch try shelf.bring(prompts, in: store) {
        case .complete(let held):
            #expect(held == prompts, "\(what)")
            #expect(store.copy(2)?.manifest == Toy.manifest(prompts).digest, "\(what)")
        case .missing(let digests):
            let held = prompts.filter { !digests.contains($0.digest) }
            #expect(store.copy(2)?.manifest == Toy.manifest(held).digest, "\(what)")
            #expect(store.copy(2)?.prompts == held.count && store.copy(2)?.adapter == nil, "\(what)")
            #expect(shelf.names == ["prompts.sealed"], "\(what)")
            // The disk says the same.
            #expect(try ShardStore(directory: shelf.directory).copies == store.copies, "\(what)")
        }
        #expect(try shelf.bring(prompts, offered: prompts, in: store) == .complete(prompts), "\(what)")
    }

    @Test("Changed, cut, doubled and moved bytes of the prompts are noticed", arguments: 0..<4)
    func mutations(seed: Int) throws {
        _ = try shelf.filled(prompts)
        let files = try shelf.files()
        let original = try #require(files["prompts.sealed"])
        let generator = CounterGenerator(seed: UInt64(seed))
        var position = 0
        func random(_ limit: Int) -> Int {
            position += 1
            return Int(generator.word(at: position)) % max(1, limit)
        }
        for round in 0..<150 {
            try shelf.put(files)
            var file = original
            let (start, count) = (random(file.count), 1 + random(40))
            let range = start..<min(start + count, file.count)
            switch random(6) {
            case 0: file[start] ^= UInt8(1 << random(8))
            case 1: file.removeSubrange(range)
            case 2: file.insert(contentsOf: file[range], at: random(file.count))
            case 3: file.removeLast(range.count)
            case 4: file += file[range]
            default: for index in range { file[index] = UInt8(random(256)) }
            }
            try check(file, "seed \(seed), round \(round)")
        }
    }

    @Test("Boxes that change places, names or shards, and headers that say something else, are noticed")
    func swaps() throws {
        _ = try shelf.filled(prompts)
        let files = try shelf.files()
        let original = try Parts(try #require(files["prompts.sealed"]))
        #expect(original.file == files["prompts.sealed"] && original.boxes.count == 3)
        func check(_ what: String, _ change: (inout Parts) -> Void) throws {
            try shelf.put(files)
            var parts = original
            change(&parts)
            #expect(parts.file != original.file, "\(what)")
            try self.check(parts.file, what)
        }
        try check("two persons' boxes are swapped") { parts in
            (parts.boxes[0].box, parts.boxes[1].box) = (parts.boxes[1].box, parts.boxes[0].box)
        }
        try check("the order is another") { $0.boxes.swapAt(0, 2) }
        try check("one is gone") { $0.boxes.removeLast() }
        try check("one is gone, and the header says so") { parts in
            parts.boxes.removeLast()
            parts.replaceHeader("\"people\":3", by: "\"people\":2")
        }
        try check("one is there twice") { $0.boxes.insert($0.boxes[0], at: 0) }
        try check("one is empty") { $0.boxes[1].box = [] }
        try check("one has another name") { $0.boxes[2].name = [UInt8](repeating: 0xFF, count: 8) }
        try check("none") { $0.boxes = [] }
        try check("other prompts") { $0.replaceHeader("\"prompts\":9", by: "\"prompts\":8") }
        try check("more prompts than there may be") {
            $0.replaceHeader("\"prompts\":9", by: "\"prompts\":9223372036854775807")
        }
        try check("a negative number") { $0.replaceHeader("\"prompts\":9", by: "\"prompts\":-9") }
        try check("another manifest") {
            $0.replaceHeader(Toy.manifest(self.prompts).digest, by: Toy.manifest(Toy.prompts(0..<2)).digest)
        }
        try check("no manifest") {
            $0.replaceHeader(Toy.manifest(self.prompts).digest, by: String(repeating: "x", count: 100_000))
        }
        try check("another format") { $0.replaceHeader("lethe-sealed-shard-1", by: "lethe-sealed-shard-2") }
    }

    @Test("A box opens for its shard and its person only, even under the same key")
    func bound() throws {
        var keys = Toy.keys(prompts)
        for person in keys.people.indices { keys.people[person].key = keys.people[0].key }
        let store = try shelf.filled(prompts, keys: keys)
        let all = prompts.map(\.digest)
        _ = try store.bring(shard: 3, to: Toy.manifest(prompts), keys: keys, offered: prompts)
        let original = try shelf.bytes()
        // Another shard's file with the same prompts.
        let other = "\(shelf.directory)/shards/3/prompts.sealed"
        try shelf.write(Array(try #require(FileManager.default.contents(atPath: other))))
        var reopened = try ShardStore(directory: shelf.directory)
        #expect(try shelf.bring(prompts, keys: keys, in: reopened) == .missing(all))
        // The boxes of two persons, each under the other's name.
        var parts = try Parts(original)
        (parts.boxes[0].box, parts.boxes[1].box) = (parts.boxes[1].box, parts.boxes[0].box)
        try shelf.write(parts.file)
        reopened = try ShardStore(directory: shelf.directory)
        guard case .missing(let digests) = try shelf.bring(prompts, keys: keys, in: reopened) else {
            Issue.record("the boxes opened")
            return
        }
        #expect(digests.count == 6)
    }

    @Test("An older file under keys that are still good brings nothing back that the manifest does not name")
    func olderBoxes() throws {
        let store = try shelf.filled(prompts)
        let old = try shelf.bytes()
        let fewer = Array(prompts.dropFirst())
        #expect(try shelf.bring(fewer, in: store) == .complete(fewer))
        try shelf.write(old)
        let reopened = try ShardStore(directory: shelf.directory)
        #expect(try shelf.bring(fewer, in: reopened) == .complete(fewer))
        #expect(try shelf.bring(prompts, in: reopened) == .missing([prompts[0].digest]))
    }

    @Test(
        "A changed, cut, renamed or doubled adapter counts as none, and is deleted; the prompts stay", arguments: 0..<7)
    func adapters(_ damage: Int) throws {
        _ = try shelf.filled(prompts)
        let name = "\(shelf.adapterName).adapter.sealed"
        var file = try shelf.bytes(name)
        switch damage {
        case 0: file[file.count / 2] ^= 1
        case 1: file.removeLast()
        case 2: file = []
        case 3: file = Array("PK something else".utf8)
        case 4: try shelf.write(file, "other.adapter.sealed")
        case 5: try shelf.write(file, "no-name!.adapter.sealed")
        default:
            unlink(shelf.path(name))
            try shelf.write(file, "other.adapter.sealed")
        }
        if damage < 4 { try shelf.write(file, name) }
        let store = try ShardStore(directory: shelf.directory)
        #expect(try shelf.bring(prompts, in: store) == .complete(prompts))
        #expect(store.copies.map(\.adapter) == [nil] && shelf.names == ["prompts.sealed"])
        #expect(store.training(shard: 2, specification: Toy.specification(), arithmetic: "x") == nil)
    }

    @Test("An adapter that goes while the worker runs is not told of")
    func vanished() throws {
        let store = try shelf.filled(prompts)
        unlink(shelf.path("\(shelf.adapterName).adapter.sealed"))
        #expect(store.training(shard: 2, specification: Toy.specification(), arithmetic: "x") == nil)
    }
}
