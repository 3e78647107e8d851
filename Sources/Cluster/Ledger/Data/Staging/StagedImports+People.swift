import Crypto

extension StagedImports {
    /// Person by person (`StagedPeopleReader`), at one go.
    func forEachPerson(
        importID: String, batches: some Sequence<Int>, key: SymmetricKey, rowsAtOnce: Int = 200_000,
        _ body: (PersonLookup, [StagedRow]) throws -> Void
    ) throws {
        var reader = StagedPeopleReader(
            self, importID: importID, batches: batches, key: key, rowsAtOnce: rowsAtOnce)
        while true {
            switch try reader.step() {
            case .person(let person, let rows): try body(person, rows)
            case .reading: continue
            case .end: return
            }
        }
    }
}
