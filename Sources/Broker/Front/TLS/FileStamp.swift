import Foundation

/// Which file there is at a path, and when it was changed last: of two that differ, the content may.
///
/// Links are followed, those of folders as well: where files are renewed all at once, as Kubernetes does it, a link to their
/// folder is all that changes.
struct FileStamp: Equatable, Sendable {
    private let path: String
    /// What the file system knows it by.
    private let number: String
    private let modified: Date?

    /// Nil when there is none, or it cannot be seen.
    init?(of path: String) {
        self.path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: self.path) else { return nil }
        number = attributes[.systemFileNumber].map { "\($0)" } ?? ""
        modified = attributes[.modificationDate] as? Date
    }
}
