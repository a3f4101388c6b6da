/// Where a client is, as far as that can be told without telling who it is.
package enum AddressClass: String, Sendable {
    /// In the broker's own process.
    case process
    /// A socket in the file system.
    case local
    /// The same machine.
    case loopback
    /// A network that is not routed (RFC 1918, RFC 4193, RFC 3927, RFC 4291 §2.5.6).
    case `private`
    case `public`
    case unknown

    private static let privateRanges = [
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10",
    ].compactMap { AddressRange($0) }

    /// The network that an address belongs to.
    package init(_ address: IPAddress) {
        if address.isLoopback {
            self = .loopback
        } else {
            self = Self.privateRanges.contains { $0.contains(address) } ? .private : .public
        }
    }
}
