// Where an optimised build finds C's types, since X509 imports it.
import CoreFoundation
import Foundation
import NIOCore

/// The file of a Unix socket that the broker has made, so that it removes no other.
struct UnixSocketFile: Sendable {
    private let path: String
    private let device: dev_t
    private let inode: ino_t

    /// Makes a socket at a listener's path; a file that a broker has left behind goes before. Returns the descriptor, on
    /// which nobody listens yet. Throws when the path is somebody else's, or its file cannot be made as it is wanted.
    static func open(_ path: String, for listener: ListenerOptions) throws(ListenError) -> (CInt, UnixSocketFile) {
        try removeStale(path, for: listener)
        let descriptor = makeSocket()
        guard descriptor >= 0 else { throw failure(listener, "a socket cannot be made") }
        guard withAddress(path, { bind(descriptor, $0, $1) }) == 0 else {
            let error = failure(listener, "its file cannot be made")
            close(descriptor)
            throw error
        }
        do throws(ListenError) {
            // Before anybody can connect: that takes a listener.
            try set(listener.permissions, of: path, for: listener)
            var status = stat()
            guard lstat(path, &status) == 0 else { throw failure(listener, "its file is gone") }
            return (descriptor, UnixSocketFile(path: path, device: status.st_dev, inode: status.st_ino))
        } catch {
            unlink(path)
            close(descriptor)
            throw error
        }
    }

    /// Removes the file, unless it is not the one that was made: another broker may have the path by now.
    func remove() {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_dev == device, status.st_ino == inode else { return }
        unlink(path)
    }

    /// Removes a socket's file at which nobody listens.
    private static func removeStale(_ path: String, for listener: ListenerOptions) throws(ListenError) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            guard errno == ENOENT else { throw failure(listener, "its folder cannot be looked into") }
            return
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ListenError(
                listener, "there is a file that is no socket", "Choose another path, or move the file away")
        }
        let descriptor = makeSocket()
        guard descriptor >= 0 else { throw failure(listener, "a socket cannot be made") }
        defer { close(descriptor) }
        // A listener whose queue is full is one, too: only who refuses is gone.
        guard withAddress(path, { connect(descriptor, $0, $1) }) != 0, errno == ECONNREFUSED else {
            throw ListenError(
                listener, "the socket is in use by another program", "Stop that program, or choose another path")
        }
        guard unlink(path) == 0 else { throw failure(listener, "the file that was left behind cannot be removed") }
    }

    private static func set(
        _ permissions: SocketPermissions, of path: String, for listener: ListenerOptions
    ) throws(ListenError) {
        var (owner, group) = (uid_t.max, gid_t.max)
        if let name = permissions.owner {
            guard let number = uid_t(name) ?? getpwnam(name)?.pointee.pw_uid else {
                throw ListenError(listener, "there is no user \(name)", "Name one that there is as its owner")
            }
            owner = number
        }
        if let name = permissions.group {
            guard let number = gid_t(name) ?? getgrnam(name)?.pointee.gr_gid else {
                throw ListenError(listener, "there is no group \(name)", "Name one that there is as its group")
            }
            group = number
        }
        if owner != .max || group != .max, chown(path, owner, group) != 0 {
            throw failure(
                listener, "its file cannot be given away",
                "Give it to a group that the broker's user is in; owners need root")
        }
        guard chmod(path, permissions.mode) == 0 else { throw failure(listener, "its mode cannot be set") }
    }

    private static func failure(
        _ listener: ListenerOptions, _ what: String,
        _ remedy: String = "Choose a path in a folder that the broker may write to"
    ) -> ListenError {
        ListenError(listener, "\(what): \(String(cString: strerror(errno)))", remedy)
    }

    private static func makeSocket() -> CInt {
        socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    }

    private static func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
