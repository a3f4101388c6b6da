import BrokerCore
import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension AddressClass {
    /// The class of a peer's address, whose bytes tell what network it belongs to.
    init(of address: SocketAddress?) {
        switch address {
        case .unixDomainSocket: self = .local
        case .v4(let address):
            self = withUnsafeBytes(of: address.address.sin_addr.s_addr) { Self.version4(Array($0)) }
        case .v6(let address):
            self = withUnsafeBytes(of: address.address.sin6_addr) { Self.version6(Array($0)) }
        case nil: self = .unknown
        }
    }

    /// Of an IPv4 address, in network order.
    static func version4(_ bytes: [UInt8]) -> Self {
        switch (bytes[0], bytes[1]) {
        case (127, _): .loopback
        case (10, _), (172, 16...31), (192, 168), (169, 254): .private
        case _: .public
        }
    }

    /// Of an IPv6 address, which may hold an IPv4 one (RFC 4291 §2.5.5.2).
    static func version6(_ bytes: [UInt8]) -> Self {
        if bytes.prefix(10).allSatisfy({ $0 == 0 }) {
            if bytes[10] == 0xff, bytes[11] == 0xff { return version4(Array(bytes[12...])) }
            if bytes[10..<15].allSatisfy({ $0 == 0 }), bytes[15] == 1 { return .loopback }
        }
        // fc00::/7 and fe80::/10
        if bytes[0] & 0xfe == 0xfc || bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80 { return .private }
        return .public
    }
}
