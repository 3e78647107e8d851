import Crypto
import Files
import Foundation

/// What was sent of imports that are not finished: a folder of files, one a batch.
///
/// A file says how large its batch is and which batches are of the same import; everything else is sealed, each batch under a
/// key of its own (`own`): what is forgotten while an import is taken in leaves the batches that have it, and no other. Within a batch rows lie in the order of people, so that an import of any size can be gone through person
/// by person, a part of all people at once, and what is staged of one person is found without reading the rest.
///
/// `LedgerError.corrupt` is thrown for a file that is missing, cut or changed, or belongs to another import, number or key;
/// `.diskFull` and `.storage` for what the system refuses. Batches are named by their numbers, which ascend.
struct StagedImports: Sendable {
    /// A batch with a key of its own.
    struct OwnBatch: Sendable {
        /// How often it was written anew.
        var file = 0
        var key: SymmetricKey
    }

    let folder: URL
    /// Of the import that is read, by number; the other batches are under the key that is given.
    var own: [Int: OwnBatch] = [:]

    /// Makes the folder where it is missing.
    init(folder: URL) throws {
        self.folder = folder
        try LedgerFiles.makeDirectory(folder)
        try LedgerFiles.synchronise(directory: folder.deletingLastPathComponent())
    }

    /// Durable when it returns; replaces one of the same number that a killed process left.
    func write(_ batch: StagedBatch, importID: String, sequence: Int, key: SymmetricKey) throws {
        let place = place(importID, sequence)
        var file = StagedFileBytes(place, key: key)
        let order = batch.rows.indices.sorted { left, right in
            let (one, other) = (batch.rows[left].lookup, batch.rows[right].lookup)
            return one == other ? left < right : one < other
        }
        for piece in order.pieces(of: StagedRowPiece.mostRows) {
            guard let first = piece.first, let last = piece.last else { continue }
            try file.append(
                .rows, StagedRowPiece.bytes(piece.lazy.map { batch.rows[$0] }), count: piece.count,
                people: batch.rows[first].lookup...batch.rows[last].lookup)
        }
        for piece in batch.items.pieces(of: StagedTextPiece.mostTexts) {
            try file.append(
                .items, StagedTextPiece.bytes(try piece.flatMap { [$0.token, try $0.text] }), count: piece.count)
        }
        for piece in batch.refusedItems.pieces(of: StagedTextPiece.mostTexts) {
            try file.append(.refused, StagedTextPiece.bytes(piece), count: piece.count)
        }
        try LedgerFiles.writeAtomically(file.finish(), to: URL(fileURLWithPath: place.path))
    }

    /// Every person with a row.
    func people(importID: String, batches: some Sequence<Int>, key: SymmetricKey) throws -> Set<PersonLookup> {
        var people: Set<PersonLookup> = []
        for sequence in batches {
            let place = place(importID, sequence)
            let file = try StagedFile(place, key: self.key(of: sequence, key))
            let index = try file.index()
            for number in index[.rows].indices {
                let bytes = try file.piece(.rows, number, of: index)
                try place.locating { () throws(StagedFault) in
                    var runs = try StagedRowPiece(bytes)
                    while let run = try runs.next() { people.insert(run.lookup) }
                }
            }
        }
        return people
    }

    /// One person's rows, in the order of batch number and position.
    func rows(
        of person: PersonLookup, importID: String, batches: some Sequence<Int>, key: SymmetricKey
    ) throws -> [StagedRow] {
        var rows: [StagedRow] = []
        for sequence in batches {
            let place = place(importID, sequence)
            let file = try StagedFile(place, key: self.key(of: sequence, key))
            let index = try file.index()
            for (number, piece) in index[.rows].enumerated() where piece.people?.contains(person) == true {
                let bytes = try file.piece(.rows, number, of: index)
                try place.locating { () throws(StagedFault) in
                    var runs = try StagedRowPiece(bytes)
                    while let run = try runs.next(), run.lookup <= person {
                        if run.lookup == person { try runs.read(run, into: &rows) }
                    }
                }
            }
        }
        return rows
    }

    /// Every item, in the order of batch number and position.
    func forEachItem(
        importID: String, batches: some Sequence<Int>, key: SymmetricKey, _ body: (StagedItem) throws -> Void
    ) throws {
        for sequence in batches {
            let place = place(importID, sequence)
            try StagedFile(place, key: self.key(of: sequence, key)).forEachPiece(ofTexts: .items) { texts in
                guard texts.count.isMultiple(of: 2) else { throw place.corrupt("an item has no title") }
                for token in stride(from: 0, to: texts.count, by: 2) {
                    guard let item = StagedItem(token: texts[token], text: texts[token + 1]) else {
                        throw place.corrupt("an item's fields cannot be read")
                    }
                    try body(item)
                }
            }
        }
    }

    /// Hashed names of items that only refused rows may name.
    func refusedItems(importID: String, batches: some Sequence<Int>, key: SymmetricKey) throws -> Set<String> {
        var names: Set<String> = []
        for sequence in batches {
            let file = try StagedFile(place(importID, sequence), key: self.key(of: sequence, key))
            try file.forEachPiece(ofTexts: .refused) { names.formUnion($0) }
        }
        return names
    }

    func place(_ importID: String, _ sequence: Int) -> StagedPlace {
        StagedPlace(folder: folder, importID: importID, sequence: sequence, file: own[sequence]?.file ?? 0)
    }

    /// - `common`: of batches that have none of their own.
    func key(of sequence: Int, _ common: SymmetricKey) -> SymmetricKey { own[sequence]?.key ?? common }
}

extension RandomAccessCollection where Index == Int {
    /// Neighbours together, so many at once.
    fileprivate func pieces(of count: Int) -> some Sequence<SubSequence> {
        stride(from: startIndex, to: endIndex, by: count).lazy.map { self[$0..<Swift.min($0 + count, endIndex)] }
    }
}
