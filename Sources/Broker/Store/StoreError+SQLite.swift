import BrokerCore
import GRDB

extension StoreError {
    /// What an error of SQLite means to whoever runs the broker.
    init(describing error: any Error, what: String) {
        if let error = error as? StoreError {
            self = error
            return
        }
        guard let error = error as? DatabaseError else {
            self.init(.other, what: what, reason: "\(error)")
            return
        }
        switch error.resultCode {
        case .SQLITE_FULL:
            self.init(.full, what: what, reason: "the disk is full", remedy: "Make room; the broker goes on by itself")
        case .SQLITE_READONLY, .SQLITE_PERM:
            self.init(
                .readOnly, what: what, reason: "the database may not be written to",
                remedy: "Let the broker write to the file and its folder; it goes on by itself")
        case .SQLITE_CANTOPEN:
            self.init(
                .unavailable, what: what, reason: "the database or a file beside it cannot be opened",
                remedy: "Let the broker write to the file and its folder")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            self.init(
                .corrupt, what: what, reason: "the database is damaged: \(error.message ?? "")",
                remedy: "See broker-server check, and go back to a backup")
        case .SQLITE_IOERR where Self.isFailedSync(error):
            self.init(
                .failedSync, what: what,
                reason: "the disk failed to sync; nothing is stored until the broker is started again",
                remedy: "Look after the disk and start the broker again")
        case .SQLITE_IOERR:
            self.init(.failedIO, what: what, reason: "the disk fails: \(error.message ?? "")", remedy: "Look after it")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(
                .busy, what: what, reason: "another program has locked the database",
                remedy: "Only the broker may write to it")
        default:
            self.init(.other, what: what, reason: "\(error)")
        }
    }

    private static func isFailedSync(_ error: DatabaseError) -> Bool {
        error.extendedResultCode == .SQLITE_IOERR_FSYNC || error.extendedResultCode == .SQLITE_IOERR_DIR_FSYNC
    }

    /// Whether every write would fail for the same reason.
    var concernsAll: Bool {
        switch kind {
        case .full, .readOnly, .corrupt, .failedIO, .failedSync, .removed, .busy, .unavailable: true
        case .other: false
        }
    }
}
