import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Testing

@Suite("Ledger: a file that is as it was left is not read through")
struct CleanEndTests {
    private func note(_ fixture: LedgerFixture) -> URL { fixture.directory.appendingPathComponent("ledger.closed") }

    @Test("It is noted at the end, and counts for one start")
    func note() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 1))
        #expect(!FileManager.default.fileExists(atPath: note(fixture).path))
        try ledger.close()
        #expect(FileManager.default.fileExists(atPath: note(fixture).path))
        let again = try fixture.open()
        #expect(!FileManager.default.fileExists(atPath: note(fixture).path))
        #expect(try again.snapshot() == again.snapshotReadWhole())
    }

    @Test("Whoever changes one byte of the file in between is found out", arguments: [false, true])
    func changed(isCopy: Bool) throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 40, seed: 1))
        try ledger.close()
        let folder = isCopy ? try fixture.copyOfFiles() : fixture.directory
        let file = folder.appendingPathComponent("ledger.sqlite")
        var bytes = try Data(contentsOf: file)
        // Counts of cells in the headers of pages.
        for page in stride(from: 2 * 4096, to: bytes.count - 4096, by: 4096) { bytes[page + 3] ^= 0x7F }
        let handle = try FileHandle(forWritingTo: file)
        try handle.write(contentsOf: bytes)
        try handle.close()
        let error = #expect(throws: LedgerError.self) { try fixture.open(at: folder) }
        guard case .corrupt = error else {
            Issue.record("wrong error: \(String(describing: error))")
            return
        }
    }
}
