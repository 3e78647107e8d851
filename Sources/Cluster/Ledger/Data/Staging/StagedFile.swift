import Crypto
import Files
import Foundation
import Messages

/// A staged batch's file, open for as long as the value lives.
struct StagedFile: ~Copyable {
    private let place: StagedPlace
    private let key: SymmetricKey
    private let descriptor: Int32

    /// - Throws: `LedgerError.corrupt` where there is no file: who asks for a batch knows that it was written.
    init(_ place: StagedPlace, key: SymmetricKey) throws(LedgerError) {
        let descriptor = open(place.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            guard errno == ENOENT else { throw LedgerError(FileFailure("cannot open", place.path)) }
            throw place.corrupt("the file is missing")
        }
        self.place = place
        self.key = key
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    func index() throws(LedgerError) -> StagedIndex {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw LedgerError(FileFailure("cannot examine", place.path)) }
        let size = Int(status.st_size) - StagedFileBytes.lengthBytes
        guard size >= SealedBytes.overhead else { throw place.corrupt("the file was cut") }
        let length = try read(size..<size + StagedFileBytes.lengthBytes).reversed().reduce(0) { $0 << 8 | Int($1) }
        guard length >= SealedBytes.overhead, length <= size else {
            throw place.corrupt("the file was cut or changed")
        }
        let bytes = try unseal(size - length..<size, place.indexContext)
        return try place.locating { () throws(StagedFault) in try StagedIndex(bytes, end: size - length) }
    }

    /// A piece's bytes.
    ///
    /// - `number`: of one that the index has.
    func piece(_ part: StagedPart, _ number: Int, of index: StagedIndex) throws(LedgerError) -> [UInt8] {
        let piece = index[part][number]
        return try unseal(
            piece.offset..<piece.offset + piece.length, place.context(part, piece: number, mark: index.mark))
    }

    /// Every text of the items or of the refused names, a piece at once.
    func forEachPiece(ofTexts part: StagedPart, _ body: ([String]) throws -> Void) throws {
        let index = try index()
        for number in index[part].indices {
            let bytes = try piece(part, number, of: index)
            try body(try place.locating { () throws(StagedFault) in try StagedTextPiece.texts(bytes) })
        }
    }

    private func unseal(_ range: Range<Int>, _ context: String) throws(LedgerError) -> [UInt8] {
        let sealed = try read(range)
        do throws(SealedBytes.Failure) {
            return try SealedBytes.open(sealed, key: key, context: context)
        } catch {
            throw place.corrupt("a part of the file does not open: it was changed, or is another's, or the key is")
        }
    }

    private func read(_ range: Range<Int>) throws(LedgerError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeMutableBytes { all in
                let rest = UnsafeMutableRawBufferPointer(rebasing: all[done...])
                return pread(descriptor, rest.baseAddress, rest.count, range.lowerBound + done)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw LedgerError(FileFailure("cannot read", place.path)) }
            guard count > 0 else { throw place.corrupt("the file was cut") }
            done += count
        }
        return bytes
    }
}
