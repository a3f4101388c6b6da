import BrokerCore
import NIOCore

/// Who is at the other end of a connection, as far as the socket and the PROXY protocol tell.
struct ConnectionOrigin: Sendable {
    /// The other end's address; nil at a Unix socket.
    var address: IPAddress?
    /// Whether it is a proxy that is believed when it says for whom it speaks.
    var isTrusted: Bool
    /// Whether a PROXY header has said what the address is.
    var isProxied = false
    /// Why its first request is refused.
    var refusal: ConnectionRefusal?

    /// Whether somebody on this machine has connected, and nothing is known of a proxy.
    var isLocal: Bool { !isTrusted && !isProxied && (address?.isLoopback ?? true) }
}

/// Why a request is refused, whatever it is, or the first one of a connection.
final class ConnectionRefusal: Sendable {
    let status: Int
    let text: String
    let retryAfter: Int

    static let full = ConnectionRefusal(
        status: 503, text: "The broker has as many connections as it may: see limits", retryAfter: 5)

    init(_ refusal: AddressLedger.Refusal, retryAfter: Int) {
        status = 429
        self.retryAfter = retryAfter
        text =
            switch refusal {
            case .connections: "Too many connections from your address"
            case .rate: "Connections from your address come too fast"
            }
    }

    /// A request of an address that asks too often.
    static func requests(retryAfter: Int) -> ConnectionRefusal {
        ConnectionRefusal(status: 429, text: "Requests from your address come too fast", retryAfter: retryAfter)
    }

    private init(status: Int, text: String, retryAfter: Int) {
        (self.status, self.text, self.retryAfter) = (status, text, retryAfter)
    }
}

/// Whoever sends a request: behind a trusted proxy that is not who has connected.
struct ClientAddress: Sendable {
    /// What is known of it.
    enum Kind: Sendable {
        /// Somebody on this machine, and nothing is known of a proxy.
        case local
        /// A trusted proxy itself, which speaks for nobody: a health check.
        case proxy
        case elsewhere
    }
    /// Nil at a Unix socket.
    let address: IPAddress?
    let kind: Kind
}

extension SocketAddress {
    /// Its address without the port; nil for a Unix socket.
    var address: IPAddress? { ipAddress.flatMap { IPAddress($0) } }
}
