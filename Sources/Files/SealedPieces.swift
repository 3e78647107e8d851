import Crypto
import Foundation

/// Many bytes as a row of sealed boxes, so that neither who writes nor who reads them holds all of them twice.
///
/// Every piece is as long as any other, but the last one is shorter, and may be empty. Place and end are authenticated with
/// the context: pieces cannot be swapped, repeated, cut off or added.
package enum SealedPieces {
    /// Bytes of a whole piece before it is sealed.
    package static let pieceBytes = 1 << 20
    package static let boxBytes = pieceBytes + SealedBytes.overhead

    static func context(_ context: String, piece: Int, isLast: Bool) -> String {
        "\(context), \(isLast ? "last " : "")piece \(piece)"
    }

    /// Takes the bytes in whatever parts they come, and hands over the boxes in order.
    package struct Writer {
        private let key: SymmetricKey
        private let context: String
        private var waiting = Data()
        private var piece = 0

        package init(key: SymmetricKey, context: String) {
            self.key = key
            self.context = context
        }

        package mutating func write(
            _ bytes: Data, to put: (Data) throws(FileFailure) -> Void
        ) throws(FileFailure) {
            var rest = bytes
            while waiting.count + rest.count >= SealedPieces.pieceBytes {
                let taken = rest.prefix(SealedPieces.pieceBytes - waiting.count)
                waiting.append(taken)
                rest = rest.dropFirst(taken.count)
                try put(try seal(isLast: false))
            }
            waiting.append(rest)
        }

        /// To be called once, after everything is written.
        package mutating func finish(to put: (Data) throws(FileFailure) -> Void) throws(FileFailure) {
            try put(try seal(isLast: true))
        }

        private mutating func seal(isLast: Bool) throws(FileFailure) -> Data {
            defer {
                waiting = Data()
                piece += 1
            }
            do throws(SealedBytes.Failure) {
                return try SealedBytes.seal(
                    waiting, key: key, context: SealedPieces.context(context, piece: piece, isLast: isLast))
            } catch {
                throw FileFailure("cannot seal", context, code: EINVAL)
            }
        }
    }

    /// Gives the bytes back in order.
    package struct Reader {
        private let sealed: Data
        private let key: SymmetricKey
        private let context: String
        /// What was sealed altogether.
        package let count: Int
        private let pieces: Int
        private var next = 0
        private var opened: ArraySlice<UInt8> = []

        /// Opens the first piece.
        ///
        /// - Throws: `notOpened` for another key or context, a changed first piece, or a length that no writer gives.
        package init(_ sealed: Data, key: SymmetricKey, context: String) throws(SealedBytes.Failure) {
            let (whole, rest) = sealed.count.quotientAndRemainder(dividingBy: SealedPieces.boxBytes)
            guard rest >= SealedBytes.overhead else { throw .notOpened }
            self.sealed = sealed
            self.key = key
            self.context = context
            pieces = whole + 1
            count = whole * SealedPieces.pieceBytes + rest - SealedBytes.overhead
            try open()
        }

        /// Fills the buffer with what comes next.
        ///
        /// - Throws: `notOpened` also where less is left.
        package mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(SealedBytes.Failure) {
            var done = 0
            while done < buffer.count {
                if opened.isEmpty { try open() }
                let part = opened.prefix(buffer.count - done)
                UnsafeMutableRawBufferPointer(rebasing: buffer[done...]).copyBytes(from: part)
                done += part.count
                opened = opened.dropFirst(part.count)
            }
        }

        /// An empty piece is the last one: after it comes none.
        private mutating func open() throws(SealedBytes.Failure) {
            guard next < pieces else { throw .notOpened }
            let start = sealed.startIndex + next * SealedPieces.boxBytes
            let box = sealed[start..<min(start + SealedPieces.boxBytes, sealed.endIndex)]
            opened = try SealedBytes.open(
                box, key: key, context: SealedPieces.context(context, piece: next, isLast: next == pieces - 1))[...]
            next += 1
        }
    }
}
