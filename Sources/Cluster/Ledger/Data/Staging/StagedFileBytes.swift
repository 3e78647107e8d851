import Crypto
import Files
import Messages

/// A staged batch as its file's bytes: the pieces, the index, and the index's length.
struct StagedFileBytes {
    /// Of the length at the end.
    static let lengthBytes = 4

    private let place: StagedPlace
    private let key: SymmetricKey
    private var index = StagedIndex()
    private var bytes: [UInt8] = []

    init(_ place: StagedPlace, key: SymmetricKey) {
        self.place = place
        self.key = key
    }

    mutating func append(
        _ part: StagedPart, _ piece: [UInt8], count: Int, people: ClosedRange<PersonLookup>? = nil
    ) throws(LedgerError) {
        let length = try seal(piece, place.context(part, piece: index[part].count, mark: index.mark))
        index.append(part, length: length, count: count, people: people)
    }

    /// To be called once, after everything is appended.
    mutating func finish() throws(LedgerError) -> [UInt8] {
        let length = try seal(index.bytes, place.indexContext)
        guard let length = UInt32(exactly: length) else {
            throw LedgerError.storage(path: place.path, reason: "the batch is too large")
        }
        withUnsafeBytes(of: length.littleEndian) { bytes.append(contentsOf: $0) }
        return bytes
    }

    private mutating func seal(_ clear: [UInt8], _ context: String) throws(LedgerError) -> Int {
        do throws(SealedBytes.Failure) {
            let box = try SealedBytes.seal(clear, key: key, context: context)
            bytes.append(contentsOf: box)
            return box.count
        } catch {
            throw LedgerError.storage(path: place.path, reason: "it cannot be sealed")
        }
    }
}
