import Files
import Foundation
import Testing

@Suite("Files that are replaced whole or not at all")
struct AtomicFileTests {
    private let directory: String

    init() throws {
        directory = NSTemporaryDirectory() + "/lethe-files-\(UUID().uuidString)"
        #expect(PrivateFiles.makeDirectory(directory))
    }

    private var names: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
    }

    @Test("What was written is what is read, and only its owner may read it")
    func roundTrip() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/file"
        let bytes = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try AtomicFile.write([1], to: path)
        try AtomicFile.write(bytes, to: path)
        #expect(try AtomicFile.read(path) == bytes)
        #expect(names == ["file"])
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
    }

    @Test("A failure in the middle leaves the old file and no temporary one")
    func failure() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/file"
        try AtomicFile.write([7], to: path)
        let stop = FileFailure("cannot go on with", path, code: ENOSPC)
        #expect(throws: stop) {
            try AtomicFile.write(to: path) { file throws(FileFailure) in
                try file.put([1, 2, 3])
                throw stop
            }
        }
        #expect(try AtomicFile.read(path) == [7])
        #expect(names == ["file"])
        #expect(stop.isFull)
    }

    @Test("Failures name the file and the reason")
    func reasons() {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/none/file"
        #expect(throws: FileFailure("cannot make", path + AtomicFile.temporarySuffix, code: ENOENT)) {
            try AtomicFile.write([1], to: path)
        }
        #expect(throws: FileFailure("cannot open", path, code: ENOENT)) { try AtomicFile.read(path) }
        #expect(AtomicFile.contents(path) == nil)
        #expect(FileFailure("cannot open", path, code: ENOENT).description.hasSuffix("No such file or directory"))
        #expect(throws: Never.self) { try AtomicFile.remove(directory + "/none") }
    }

    @Test(
        "The folder of a path stands before its last slash, however short the path is",
        arguments: [
            ("1", "."), ("ö", "."), ("-", "."), (".", "."), ("", "."), ("ab", "."), ("a/", "."), ("/", "/"),
            ("//", "/"),
            ("/a", "/"), ("//a", "/"), ("a/b", "a"), ("a/b/", "a"), ("a//b", "a"), ("/é/1", "/é"), ("./1", "."),
        ])
    func folders(path: String, folder: String) {
        #expect(FilePath.folder(of: path) == folder)
    }

    @Test("A folder without a name cannot be made, and errno says why")
    func nameless() {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let isMade = PrivateFiles.makeDirectory("")
        let code = errno
        #expect(!isMade && code == ENOENT)
        #expect(PrivateFiles.makeDirectory(directory + "/1/2/3"))
        #expect(FileManager.default.fileExists(atPath: directory + "/1/2/3"))
    }
}
