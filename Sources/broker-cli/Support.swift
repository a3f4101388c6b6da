import BrokerCore
import FanfareClient
import Foundation
import Synchronization

/// What is published; the broker's core has a type of that name, too.
typealias Publication = FanfareClient.Publication

/// Counts, from any thread.
final class Counter: Sendable {
    private let value = Atomic<Int>(0)

    /// The next number; 1 is the first.
    @discardableResult
    func next() -> Int { value.add(1, ordering: .relaxed).newValue }

    var current: Int { value.load(ordering: .relaxed) }
}

/// Which signal asked to stop, if one did.
final class StopCause: Sendable {
    private let number = Atomic<Int32>(0)

    var signal: Int32? {
        let number = number.load(ordering: .relaxed)
        return number == 0 ? nil : number
    }

    func set(_ signal: Int32) { number.store(signal, ordering: .relaxed) }
}

/// A JSON object that is looked into.
struct JSONText {
    private let bytes: [UInt8]
    private let value: JSONSlice

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        value = (try? EnvelopeScanner().scanValue(validatingUTF8: bytes.span.bytes)) ?? .absent
    }

    private func slice(_ name: String) -> JSONSlice {
        var members = value.members
        var found = JSONSlice.absent
        while let (member, value) = members.next(in: bytes.span.bytes) {
            if member.string(in: bytes.span.bytes) == name { found = value }
        }
        return found
    }

    /// A member that is a string.
    func member(_ name: String) -> String? { slice(name).string(in: bytes.span.bytes) }
    /// A member that is an integer.
    func integer(_ name: String) -> Int64? { slice(name).integer(in: bytes.span.bytes) }
    /// A member that is a number.
    func double(_ name: String) -> Double? { slice(name).double(in: bytes.span.bytes) }
    /// A member that is true.
    func isTrue(_ name: String) -> Bool { slice(name).bool == true }
    /// A member as it was written.
    func raw(_ name: String) -> [UInt8]? {
        let slice = slice(name)
        return slice.isAbsent ? nil : Array(bytes[slice.range])
    }
    /// The elements of an array, as they were written.
    var elements: [[UInt8]] {
        var elements = value.elements
        var found: [[UInt8]] = []
        while let element = elements.next(in: bytes.span.bytes) { found.append(Array(bytes[element.range])) }
        return found
    }
}

/// A lock on a file, held by one process at a time, and let go when the process ends.
final class FileLock {
    private let descriptor: Int32

    /// Takes the lock; when another process has it, waits if `waits`, else throws.
    init(_ path: String, waits: Bool, inUse: String) throws(CLIError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw .cannotCreate("\(path): \(String(cString: strerror(errno)))")
        }
        while flock(descriptor, waits ? LOCK_EX : LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            close(descriptor)
            throw .cannotCreate(inUse)
        }
    }

    deinit { close(descriptor) }
}

/// Writes files so that they are there as a whole or not at all, also after a loss of power.
enum DurableFile {
    /// Replaces a file.
    static func write(_ bytes: [UInt8], to path: String) throws(CLIError) {
        let temporary = path + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .cannotCreate("\(path): \(String(cString: strerror(errno)))") }
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                Foundation.write(descriptor, $0.baseAddress.map { $0 + offset }, bytes.count - offset)
            }
            if count > 0 {
                offset += count
            } else if errno != EINTR {
                let reason = String(cString: strerror(errno))
                close(descriptor)
                throw .inputOutput("\(path): \(reason)")
            }
        }
        let isSynced = fsync(descriptor) == 0
        close(descriptor)
        guard isSynced, rename(temporary, path) == 0 else {
            throw .inputOutput("\(path): \(String(cString: strerror(errno)))")
        }
        syncFolder(of: path)
    }

    /// Makes the names in a file's folder last.
    static func syncFolder(of path: String) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let descriptor = open(folder.isEmpty ? "/" : folder, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}
