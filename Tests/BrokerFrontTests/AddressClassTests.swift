import BrokerCore
import NIOCore
import Testing

@testable import BrokerFront

/// What is told of where a client is.
@Suite("Classes of addresses")
struct AddressClassTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String { text }
        let text: String
        let found: AddressClass
    }
    static let rows = [
        Row(text: "127.0.0.1", found: .loopback), Row(text: "127.255.0.9", found: .loopback),
        Row(text: "10.0.0.1", found: .private), Row(text: "11.0.0.1", found: .public),
        Row(text: "172.15.0.1", found: .public), Row(text: "172.16.0.1", found: .private),
        Row(text: "172.31.9.9", found: .private), Row(text: "172.32.0.1", found: .public),
        Row(text: "192.168.1.1", found: .private), Row(text: "192.169.1.1", found: .public),
        Row(text: "169.254.1.1", found: .private), Row(text: "198.51.100.7", found: .public),
        Row(text: "::1", found: .loopback), Row(text: "::2", found: .public),
        Row(text: "::ffff:127.0.0.1", found: .loopback), Row(text: "::ffff:10.1.1.1", found: .private),
        Row(text: "::ffff:198.51.100.7", found: .public), Row(text: "fc00::1", found: .private),
        Row(text: "fdff::1", found: .private), Row(text: "fe80::1", found: .private),
        Row(text: "fec0::1", found: .public), Row(text: "2001:db8::1", found: .public),
    ]

    @Test("By the bytes of the address", arguments: rows)
    func classes(row: Row) throws {
        #expect(AddressClass(of: try SocketAddress(ipAddress: row.text, port: 1)) == row.found)
    }

    @Test("Without an IP address")
    func others() throws {
        #expect(AddressClass(of: nil) == .unknown)
        #expect(AddressClass(of: try SocketAddress(unixDomainSocketPath: "/run/x")) == .local)
    }

    @Test(
        "Instants are told in UTC",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400_007, "2000-02-29T00:00:00.007Z"),
            (4_102_444_799_999, "2099-12-31T23:59:59.999Z"), (-1, "1969-12-31T23:59:59.999Z"),
        ])
    func timestamps(wall: Int64, text: String) {
        #expect(Timestamp.text(wall) == text)
    }
}
