import BrokerCore
import BrokerFront

extension Setting {
    static let proxies: [Setting] = [
        Setting(
            "trusted-proxies", listOf: .proxy, \.trustedProxies,
            "proxies that are believed when they say for whom they speak: addresses, ranges such as 10.0.0.0/8, or unix"
        ),
        Setting(
            "trusted-header", .choice, \.broker.trust.header,
            "where they say it; the other header may be what a client has sent"),
    ]
}

/// A proxy, or many, as the configuration names them.
enum TrustedProxy: Equatable, Sendable {
    case range(AddressRange)
    case unixSockets
}

extension ValueType where Value == TrustedProxy {
    static let proxy = Self(
        name: "address, range, or unix", expected: "an address such as 10.0.0.1, a range such as 10.0.0.0/8, or unix",
        parse: { $0 == "unix" ? .unixSockets : AddressRange($0).map { .range($0) } },
        format: { proxy in
            switch proxy {
            case .range(let range): range.description
            case .unixSockets: "unix"
            }
        })
}

extension Settings {
    /// Which proxies are trusted, in the order of the reference: ranges, then Unix sockets.
    var trustedProxies: [TrustedProxy] {
        get { broker.trust.ranges.map { .range($0) } + (broker.trust.trustsUnixSockets ? [.unixSockets] : []) }
        set {
            broker.trust.ranges = newValue.compactMap { if case .range(let range) = $0 { range } else { nil } }
            broker.trust.trustsUnixSockets = newValue.contains(.unixSockets)
        }
    }
}
