import NIOCore

/// Where a listener is.
package enum ListenerAddress: Sendable, Equatable, CustomStringConvertible {
    /// Port 0 takes a free one.
    case tcp(host: String, port: Int)
    /// A socket in the file system.
    case unix(path: String)
    /// Sockets that the service manager has opened, by their name; all that no other listener takes, without one.
    case systemd(name: String?)

    /// The longest path of a Unix socket, in bytes (unix(7)).
    package static let maximumPathBytes = 107

    private static let unix = "unix:"
    private static let systemd = "systemd"

    /// Reads `HOST:PORT`, `unix:/path`, `systemd` or `systemd:NAME`; nil for anything else.
    package init?(_ text: String) {
        if text.hasPrefix(Self.unix) {
            let path = String(text.dropFirst(Self.unix.count))
            guard path.hasPrefix("/"), !path.hasSuffix("/"), path.utf8.count <= Self.maximumPathBytes else {
                return nil
            }
            self = .unix(path: path)
        } else if text == Self.systemd {
            self = .systemd(name: nil)
        } else if text.hasPrefix(Self.systemd + ":") {
            let name = text.dropFirst(Self.systemd.count + 1)
            // What sd_listen_fds(3) allows.
            guard !name.isEmpty, !name.contains(":") else { return nil }
            self = .systemd(name: String(name))
        } else {
            guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
                return nil
            }
            let host = text[..<colon].trimmingPrefix("[")
            let name = String(host.hasSuffix("]") ? host.dropLast() : host)
            guard !name.isEmpty, !name.contains(where: \.isWhitespace) else { return nil }
            self = .tcp(host: name, port: Int(port))
        }
    }

    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): Self.unix + path
        case .systemd(let name): Self.systemd + (name.map { ":" + $0 } ?? "")
        }
    }

    /// Whether only programs on this machine reach it, as far as the text tells.
    package var isLocal: Bool {
        switch self {
        case .tcp(let host, _): HostName.isLoopback(host)
        case .unix: true
        case .systemd: false
        }
    }

    /// Whether both stand for the same place, so that only one of them can be had. Any number of listeners can have a
    /// free port each.
    package func collides(with other: ListenerAddress) -> Bool {
        if case .tcp(_, 0) = self { return false }
        return self == other
    }
}
