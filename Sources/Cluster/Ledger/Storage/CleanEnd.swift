import Files
import Foundation

/// What a ledger leaves beside its database when it is closed: how the file looked then (`ledger.closed`). Who opens it and finds
/// it so, byte for byte as far as size, times and place in the file system tell, need not read it through: what reads every
/// page grows with everything that there is. After a kill, a loss of power, or when anybody else wrote to the file or copied
/// it, it is not so.
enum CleanEnd {
    static let name = "ledger.closed"

    /// Whether the file is as it was left. It is to be asked once: from then on it is not.
    static func take(of database: URL) -> Bool {
        let file = database.deletingLastPathComponent().appendingPathComponent(name)
        guard let bytes = try? LedgerFiles.read(file) else { return false }
        guard unlink(file.path) == 0, let now = look(database) else { return false }
        return bytes == Array(now.utf8)
    }

    /// Of a database that is closed. Without it the next start takes longer, and nothing else.
    static func note(of database: URL) {
        guard let now = look(database) else { return }
        let file = database.deletingLastPathComponent().appendingPathComponent(name)
        try? LedgerFiles.writeAtomically(Data(now.utf8), to: file)
    }

    /// nil: there is a log beside it, or it is not there.
    private static func look(_ database: URL) -> String? {
        var (status, log) = (stat(), stat())
        guard stat(database.path, &status) == 0 else { return nil }
        guard stat(database.path + "-wal", &log) != 0 || log.st_size == 0 else { return nil }
        return "\(status.st_dev) \(status.st_ino) \(status.st_size) \(status.st_mtim.tv_sec) \(status.st_mtim.tv_nsec) "
            + "\(status.st_ctim.tv_sec) \(status.st_ctim.tv_nsec)\n"
    }
}
