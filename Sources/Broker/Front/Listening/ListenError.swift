import Foundation
import NIOCore

/// A listener's address cannot be had.
package struct ListenError: Error, CustomStringConvertible {
    /// Which one.
    package let listener: ListenerOptions
    private let reason: String
    private let remedy: String

    init(_ listener: ListenerOptions, _ reason: String, _ remedy: String) {
        self.listener = listener
        self.reason = reason
        self.remedy = remedy
    }

    /// What the system says of it, and what to do.
    init(_ listener: ListenerOptions, cause: any Error) {
        let reason: String
        let remedy: String
        switch (cause as? IOError)?.errnoCode {
        case EADDRINUSE:
            reason = "the port is in use by another program"
            let host = listener.host.map { $0.contains(":") ? "[\($0)]" : $0 } ?? "HOST"
            remedy = "Stop that program, or choose another port with --listen \(host):PORT (0 takes a free one)"
        case EACCES:
            reason = "ports below 1024 are for privileged programs"
            remedy = "Choose a higher port, or allow it: setcap cap_net_bind_service=+ep PATH-OF-broker-server"
        case EADDRNOTAVAIL:
            reason = "this machine does not have that address"
            remedy = "Choose an address of this machine, 127.0.0.1 for this machine only or 0.0.0.0 for all"
        default:
            reason = "\(cause)"
            remedy = "Choose an address with --listen HOST:PORT"
        }
        self.init(listener, reason, remedy)
    }

    package var description: String { "Cannot listen on \(listener.title): \(reason). \(remedy)." }
}
