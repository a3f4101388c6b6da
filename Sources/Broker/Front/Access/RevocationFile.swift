import Foundation
import Logging

/// The file of a `RevocationList`: lines, each of which is there as a whole or not at all.
///
/// A line counts once it has its end. What has none was never acknowledged: the disk was full, or the process died, while
/// it was written. It does not count, and is cut away before anything else is written, so that nothing is glued to it.
struct RevocationFile: Sendable {
    let path: String
    let logger: Logger?

    /// The lines that have an end, of either kind (LF or CRLF), without it; none when there is no file.
    func lines() throws(RevocationError) -> [Substring] {
        // What nobody may look at is not what is not there.
        if access(path, F_OK) != 0, errno == ENOENT || errno == ENOTDIR { return [] }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw RevocationError(description: "\(path): the file cannot be read")
        }
        // By bytes, for CRLF is one character, and not equal to LF.
        var lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if let torn = lines.popLast(), !torn.isEmpty {
            logger?.warning(
                "the last line of the list of revoked tokens has no end, and does not count",
                metadata: ["file": "\(path)", "line": "\(lines.count + 1)", "bytes": "\(torn.count)"])
        }
        return lines.map { Substring($0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0) }
    }

    /// Adds a line, given without its end. It is on the disk when this returns; when it throws, it is not in the file.
    func append(_ line: String) throws(RevocationError) {
        let isNew = access(path, F_OK) != 0
        let descriptor = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure() }
        defer { close(descriptor) }
        guard let length = Self.wholeLength(of: descriptor) else { throw failure() }
        guard Self.cut(descriptor, to: length), Self.write(line + "\n", to: descriptor), fsync(descriptor) == 0 else {
            let error = failure()
            // If that fails as well, the next one who appends or reads finds a line without an end.
            if Self.cut(descriptor, to: length) { fsync(descriptor) }
            throw error
        }
        if isNew { syncFolder() }
    }

    /// How long the file is up to the end of its last line that has one; nil when that cannot be told.
    private static func wholeLength(of descriptor: CInt) -> off_t? {
        var length = lseek(descriptor, 0, SEEK_END)
        guard length >= 0 else { return nil }
        var byte: UInt8 = 0
        while length > 0 {
            guard pread(descriptor, &byte, 1, length - 1) == 1 else { return nil }
            if byte == UInt8(ascii: "\n") { break }
            length -= 1
        }
        return length
    }

    private static func cut(_ descriptor: CInt, to length: off_t) -> Bool {
        lseek(descriptor, 0, SEEK_END) == length || ftruncate(descriptor, length) == 0
    }

    private static func write(_ text: String, to descriptor: CInt) -> Bool {
        var rest = ArraySlice(text.utf8)
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }

    /// Makes the file's name last.
    private func syncFolder() {
        let descriptor = open(URL(filePath: path).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    private func failure() -> RevocationError {
        let reason = String(cString: strerror(errno))
        return RevocationError(
            description: "\(path) cannot be written to: \(reason). Nothing was revoked; mend that, and do it again")
    }
}
