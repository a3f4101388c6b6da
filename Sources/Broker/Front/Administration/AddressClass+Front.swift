import BrokerCore
import NIOCore

extension AddressClass {
    /// The class of the address that a socket is connected to.
    init(of address: SocketAddress?) {
        switch address {
        case .unixDomainSocket: self = .local
        case .v4, .v6: self = address?.address.map { Self($0) } ?? .unknown
        case nil: self = .unknown
        }
    }
}
