import Files
import Foundation
import Messages

/// What stands in `audit.head`.
enum AuditHeadFile {
    case missing
    /// Damaged, forged, or of another cluster.
    case unusable
    case head(AuditHead)

    static let name = "audit.head"

    /// The later one where two are there: the power failed while one took the other's place. One line is what earlier releases
    /// wrote.
    init(_ file: URL, cluster: String, publicKey: Data?) throws {
        guard access(file.path, F_OK) == 0 else {
            self = .missing
            return
        }
        let text = String(decoding: try LedgerFiles.read(file), as: UTF8.self)
        let heads = text.split(whereSeparator: \.isWhitespace).compactMap {
            SignedStatement(compact: String($0))?.auditHead(cluster: cluster, publicKey: publicKey)
        }
        guard let last = heads.max(by: { $0.sequence < $1.sequence }) else {
            self = .unusable
            return
        }
        self = .head(last)
    }
}

/// Writes `audit.head` again and again: into two places in turn, each of which the disk writes whole, with one sync each time.
/// (A new file that takes the old one's place costs two, and a directory's.)
///
/// A place is the signed head's text, spaces, and a line feed at the end. The place before is emptied, so that nobody finds
/// an older head there to put in the newer one's stead.
struct AuditHeadPlaces {
    /// Bytes of one: of a disk's sector, or of a page.
    static let size = 4096

    /// Where the last one is; nil: not known yet.
    private var last: Int?

    /// Durable when it returns.
    mutating func write(_ head: SignedStatement, to file: URL) throws {
        guard let place = Self.place(head.compact) else {
            last = nil
            return try LedgerFiles.writeAtomically(Data(head.compact.utf8), to: file)
        }
        if last == nil, let found = Self.find(place, in: file) {
            // As the last process left it.
            last = found
        } else if let known = last, try Self.overwrite(file, known: known, with: place) {
            last = 1 - known
        } else {
            try LedgerFiles.writeAtomically(place + Self.empty, to: file)
            last = 0
        }
    }

    /// Where the file holds this head and nothing else.
    private static func find(_ place: Data, in file: URL) -> Int? {
        guard let bytes = try? LedgerFiles.read(file) else { return nil }
        return [place + empty, empty + place].firstIndex { $0.elementsEqual(bytes) }
    }

    /// - Returns: false: the file is not there any more, or is none that was written here.
    private static func overwrite(_ file: URL, known: Int, with place: Data) throws -> Bool {
        let descriptor = open(file.path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ELOOP { return false }
            throw LedgerError(FileFailure("cannot open", file.path))
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_size == 2 * size else { return false }
        guard put(place, at: 1 - known, descriptor), fdatasync(descriptor) == 0 else {
            throw LedgerError(FileFailure("cannot write", file.path))
        }
        // With the next sync is soon enough: until then both are true.
        _ = put(empty, at: known, descriptor)
        return true
    }

    private static func put(_ bytes: Data, at place: Int, _ descriptor: Int32) -> Bool {
        bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, off_t(place * size)) } == bytes.count
    }

    /// nil: longer than a place.
    private static func place(_ text: String) -> Data? {
        let bytes = Data(text.utf8)
        guard bytes.count < size else { return nil }
        return bytes + empty.suffix(size - bytes.count)
    }

    private static let empty = Data(repeating: UInt8(ascii: " "), count: size - 1) + [UInt8(ascii: "\n")]
}
