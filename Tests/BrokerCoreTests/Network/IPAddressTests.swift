import BrokerCore
import Testing

@Suite("Addresses")
struct IPAddressTests {
    struct Row: Sendable {
        let text: String
        /// How it is written; nil for what is no address.
        let form: String?
    }

    static let rows: [Row] = [
        Row(text: "192.0.2.1", form: "192.0.2.1"), Row(text: "0.0.0.0", form: "0.0.0.0"),
        Row(text: "255.255.255.255", form: "255.255.255.255"), Row(text: "::1", form: "::1"),
        Row(text: "::", form: "::"),
        Row(text: "2001:DB8::1", form: "2001:db8::1"), Row(text: "2001:db8:0:0:1:0:0:1", form: "2001:db8::1:0:0:1"),
        Row(text: "1:2:3:4:5:6:7:8", form: "1:2:3:4:5:6:7:8"), Row(text: "1:0:3:4:5:6:7:8", form: "1:0:3:4:5:6:7:8"),
        Row(text: "1::", form: "1::"), Row(text: "::ffff:192.0.2.1", form: "192.0.2.1"),
        Row(text: "::ffff:c000:201", form: "192.0.2.1"), Row(text: "64:ff9b::192.0.2.33", form: "64:ff9b::c000:221"),
        Row(text: "", form: nil), Row(text: "1.2.3", form: nil), Row(text: "1.2.3.4.5", form: nil),
        Row(text: "1.2.3.256", form: nil), Row(text: "01.2.3.4", form: nil), Row(text: "1.2.3.+4", form: nil),
        Row(text: " 1.2.3.4", form: nil), Row(text: "1.2.3.4\n", form: nil), Row(text: "1..2.3", form: nil),
        Row(text: ":", form: nil), Row(text: ":::", form: nil), Row(text: "1:2:3:4:5:6:7", form: nil),
        Row(text: "1:2:3:4:5:6:7:8:9", form: nil), Row(text: "1::2::3", form: nil),
        Row(text: "1:2:3:4:5:6:7::8", form: nil),
        Row(text: "12345::", form: nil), Row(text: "g::", form: nil), Row(text: "-0::", form: nil),
        Row(text: "1:2:3:4:5:6:7:", form: nil), Row(text: ":1:2:3:4:5:6:7", form: nil),
        Row(text: "1.2.3.4::", form: nil),
        Row(text: "fe80::1%eth0", form: nil), Row(text: "localhost", form: nil), Row(text: "::１", form: nil),
    ]

    @Test(arguments: rows)
    func reading(row: Row) {
        #expect(IPAddress(row.text)?.description == row.form)
    }

    @Test
    func whatItIs() throws {
        let loopback = ["127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1"]
        for text in loopback { #expect(try #require(IPAddress(text)).isLoopback, "\(text)") }
        for text in ["128.0.0.1", "126.0.0.1", "::2", "::", "0.0.0.0", "::7f00:1"] {
            #expect(try !#require(IPAddress(text)).isLoopback, "\(text)")
        }
        let neighbours = [("192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
        for (text, network) in neighbours {
            #expect(try #require(IPAddress(text)).neighbourhood.description == network)
        }
        #expect(IPAddress(bytes: [192, 0, 2, 1]) == IPAddress("192.0.2.1"))
        #expect(IPAddress(bytes: [UInt8](repeating: 0, count: 15) + [1]) == IPAddress("::1"))
        #expect(IPAddress(bytes: [1, 2, 3]) == nil)
    }

    static let ranges: [(range: String, within: [String], beyond: [String])] = [
        ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["11.0.0.0", "9.255.255.255", "::a00:0"]),
        ("10.1.2.3/8", ["10.0.0.1"], ["11.0.0.1"]), ("192.0.2.1", ["192.0.2.1", "::ffff:192.0.2.1"], ["192.0.2.2"]),
        ("0.0.0.0/0", ["1.2.3.4"], ["2001:db8::1", "::1"]), ("::/0", ["2001:db8::1", "::1"], ["1.2.3.4"]),
        ("2001:db8::/33", ["2001:db8:7fff::1"], ["2001:db8:8000::1"]),
        ("2001:db8::/65", ["2001:db8::7fff:0:0:1"], ["2001:db8::8000:0:0:1"]), ("::1/128", ["::1"], ["::2"]),
    ]

    @Test(arguments: ranges)
    func range(row: (range: String, within: [String], beyond: [String])) throws {
        let range = try #require(AddressRange(row.range))
        for text in row.within { #expect(range.contains(try #require(IPAddress(text))), "\(text)") }
        for text in row.beyond { #expect(!range.contains(try #require(IPAddress(text))), "\(text)") }
        #expect(AddressRange(range.description) == range)
    }

    @Test(arguments: [
        "", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/ 8", "a/8",
    ])
    func noRange(text: String) {
        #expect(AddressRange(text) == nil)
    }
}
