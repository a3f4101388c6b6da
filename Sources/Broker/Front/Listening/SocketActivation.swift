import Foundation
import NIOCore

/// The sockets that the service manager has opened for the broker (sd_listen_fds(3)).
///
/// A listener gets the one that is bound to its address, so a configuration is good with and without a socket unit; or those
/// of a name, where it asks for them. One that nobody takes is an error: somebody would wait in it for ever.
package struct SocketActivation: Sendable {
    /// A socket that listens.
    struct Passed: Sendable {
        let descriptor: CInt
        let name: String
        let address: ListenerAddress
        let socketAddress: SocketAddress
    }
    private let sockets: [Passed]
    private static let firstDescriptor: CInt = 3

    /// The sockets that the environment tells of; none when it speaks to another process. Children do not inherit them.
    package init(environment: [String: String]) throws(ActivationError) {
        guard environment["LISTEN_PID"].flatMap({ pid_t($0) }) == getpid(),
            let count = environment["LISTEN_FDS"].flatMap({ CInt($0) }), count > 0
        else {
            sockets = []
            return
        }
        let names = (environment["LISTEN_FDNAMES"] ?? "").split(separator: ":", omittingEmptySubsequences: false)
        var sockets: [Passed] = []
        for index in 0..<count {
            let descriptor = Self.firstDescriptor + index
            let name = Int(index) < names.count && !names[Int(index)].isEmpty ? String(names[Int(index)]) : "unknown"
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            guard Self.option(SO_TYPE, of: descriptor) == CInt(SOCK_STREAM.rawValue),
                Self.option(SO_ACCEPTCONN, of: descriptor) == 1, let place = Self.address(of: descriptor)
            else {
                throw ActivationError(
                    "systemd passes \(name), on which no stream connections can be accepted: its unit needs ListenStream= and Accept=no"
                )
            }
            sockets.append(
                Passed(descriptor: descriptor, name: name, address: place.address, socketAddress: place.socketAddress))
        }
        self.sockets = sockets
        for variable in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"] { unsetenv(variable) }
    }

    /// The listeners with the sockets that they get. One that asks for a name becomes as many as there are sockets of it.
    package func claim(_ listeners: [ListenerOptions]) throws(ActivationError) -> [ListenerOptions] {
        var free = sockets
        var claimed = listeners.map { [$0] }
        // First those that say which one they want.
        for pass in [false, true] {
            for (index, listener) in listeners.enumerated() where (listener.address == .systemd(name: nil)) == pass {
                let mine = free.filter { $0.suits(listener.address) }
                free.removeAll { socket in mine.contains { $0.descriptor == socket.descriptor } }
                if case .systemd(let name) = listener.address {
                    guard !mine.isEmpty else { throw missing(name, listener) }
                } else if mine.isEmpty {
                    continue
                }
                claimed[index] = mine.map { socket in
                    var listener = listener
                    listener.address = socket.address
                    listener.inherited = socket.descriptor
                    return listener
                }
            }
        }
        if let left = free.first {
            throw ActivationError(
                "systemd passes \(left.name) at \(left.address), which no listener takes. Listen at that address, or at systemd:\(left.name)."
            )
        }
        return claimed.flatMap { $0 }
    }

    private func missing(_ name: String?, _ listener: ListenerOptions) -> ActivationError {
        let names = Set(sockets.map(\.name)).sorted().joined(separator: ", ")
        let passed = sockets.isEmpty ? "it passes none" : "it passes \(names)"
        return ActivationError(
            "Cannot listen on \(listener.title): systemd passes no \(name.map { "socket named \($0)" } ?? "socket"); \(passed). A socket unit names its sockets with FileDescriptorName=."
        )
    }

    private static func option(_ option: CInt, of descriptor: CInt) -> CInt? {
        var value: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        return getsockopt(descriptor, SOL_SOCKET, option, &value, &length) == 0 ? value : nil
    }

    /// Where a socket is bound; nil where that is neither the network nor the file system.
    private static func address(of descriptor: CInt) -> (address: ListenerAddress, socketAddress: SocketAddress)? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { storage in
            let isKnown = storage.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &length) == 0
            }
            guard isKnown else { return nil }
            let found: SocketAddress
            switch CInt(storage.pointee.ss_family) {
            case AF_INET:
                found = storage.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee) }
            case AF_INET6:
                found = storage.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { SocketAddress($0.pointee) }
            case AF_UNIX:
                found = storage.withMemoryRebound(to: sockaddr_un.self, capacity: 1) { SocketAddress($0.pointee) }
            default: return nil
            }
            if let path = found.pathname { return path.isEmpty ? nil : (.unix(path: path), found) }
            guard let host = found.ipAddress, let port = found.port else { return nil }
            return (.tcp(host: host, port: port), found)
        }
    }
}

extension SocketActivation.Passed {
    /// Whether a listener at an address gets this socket.
    fileprivate func suits(_ wanted: ListenerAddress) -> Bool {
        switch wanted {
        case .systemd(let name): name.map { $0 == self.name } ?? true
        case .unix: wanted == address
        case .tcp(let host, let port):
            (try? SocketAddress.makeAddressResolvingHost(host, port: port)).map { $0 == socketAddress } ?? false
        }
    }
}

/// The sockets of the service manager and the listeners do not fit together.
package struct ActivationError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}
