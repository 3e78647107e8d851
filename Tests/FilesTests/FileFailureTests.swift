import Files
import Foundation
import Testing

@Suite("What the system refused to do with a file")
struct FileFailureTests {
    @Test("A failure that Foundation has only a number for is told in the system's words, with its path")
    func words() throws {
        let folder = NSTemporaryDirectory() + "/lethe-files-\(UUID().uuidString)"
        #expect(PrivateFiles.makeDirectory(folder))
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let handle = try #require(FileHandle(forReadingAtPath: folder))
        defer { try? handle.close() }
        #expect {
            try handle.read(upToCount: 1)
        } throws: {
            FileFailure.reason(of: $0) == FileFailure("", "", code: EISDIR).reason
        }
        let file = folder + "/file"
        try AtomicFile.write([1], to: file)
        #expect {
            try FileManager.default.createDirectory(atPath: file + "/below", withIntermediateDirectories: true)
        } throws: {
            FileFailure("cannot use", $0) == FileFailure("cannot use", file + "/below", code: ENOTDIR)
        }
    }

    @Test("What no file has to do with keeps its own words")
    func others() {
        let error = CocoaError(.coderInvalidValue)
        #expect(FileFailure("cannot use", error) == nil)
        #expect(FileFailure.reason(of: error) == error.localizedDescription)
        #expect(FileFailure.reason(of: FileFailure("cannot write", "a", code: ENOSPC)).contains("space"))
    }
}
