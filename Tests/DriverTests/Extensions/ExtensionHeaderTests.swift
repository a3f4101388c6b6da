import Driver
import Testing

@Suite struct ExtensionHeaderTests {
    struct Valid: Sendable, CustomTestStringConvertible {
        let value: String
        let offers: [ExtensionOffer]
        /// What it is written as, if not the same.
        var written: String?
        var testDescription: String { value }
    }

    @Test(arguments: [
        Valid(value: "", offers: []),
        Valid(value: "a", offers: [ExtensionOffer(name: "a")]),
        Valid(value: "a, b", offers: [ExtensionOffer(name: "a"), ExtensionOffer(name: "b")]),
        Valid(value: "a,b", offers: [ExtensionOffer(name: "a"), ExtensionOffer(name: "b")], written: "a, b"),
        Valid(value: " \ta\t ,\t b ", offers: [ExtensionOffer(name: "a"), ExtensionOffer(name: "b")], written: "a, b"),
        Valid(value: "a, a", offers: [ExtensionOffer(name: "a"), ExtensionOffer(name: "a")]),
        Valid(value: "a; b", offers: [ExtensionOffer(name: "a", parameters: ["b": .flag])]),
        Valid(
            value: "a;\tb ;c", offers: [ExtensionOffer(name: "a", parameters: ["b": .flag, "c": .flag])],
            written: "a; b; c"),
        Valid(value: "a; b=1", offers: [ExtensionOffer(name: "a", parameters: ["b": .integer(1)])]),
        Valid(value: "a; b=-1", offers: [ExtensionOffer(name: "a", parameters: ["b": .integer(-1)])]),
        Valid(value: "a; b=0", offers: [ExtensionOffer(name: "a", parameters: ["b": .integer(0)])]),
        Valid(value: "a; b=1.5", offers: [ExtensionOffer(name: "a", parameters: ["b": .decimal(1.5)])]),
        Valid(value: "a; b=007", offers: [ExtensionOffer(name: "a", parameters: ["b": .text("007")])]),
        Valid(value: "a; b=1.", offers: [ExtensionOffer(name: "a", parameters: ["b": .text("1.")])]),
        Valid(value: "a; b=-", offers: [ExtensionOffer(name: "a", parameters: ["b": .text("-")])]),
        Valid(value: "a; b=+1", offers: [ExtensionOffer(name: "a", parameters: ["b": .text("+1")])]),
        Valid(
            value: "a; b=\"10\"", offers: [ExtensionOffer(name: "a", parameters: ["b": .integer(10)])],
            written: "a; b=10"),
        Valid(
            value: "a; b=\"hi, there; x\"",
            offers: [
                ExtensionOffer(name: "a", parameters: ["b": .text("hi, there; x")])
            ]),
        Valid(value: #"a; b="x \" \\ y""#, offers: [ExtensionOffer(name: "a", parameters: ["b": .text(#"x " \ y"#)])]),
        Valid(
            value: #"a; b="\h\i""#, offers: [ExtensionOffer(name: "a", parameters: ["b": .text("hi")])],
            written: "a; b=hi"),
        Valid(value: #"a; b="""#, offers: [ExtensionOffer(name: "a", parameters: ["b": .text("")])]),
        // Every value that needs quotes gets them, also the second one.
        Valid(
            value: #"a; b="x y"; c="x y"; d="x y""#,
            offers: [
                ExtensionOffer(name: "a", parameters: ["b": .text("x y"), "c": .text("x y"), "d": .text("x y")])
            ]),
        Valid(
            value: "a; c; b=1; b; b=x",
            offers: [
                ExtensionOffer(name: "a", parameters: ["c": .flag, "b": .list([.integer(1), .flag, .text("x")])])
            ]),
        // Each value that needs quotes has them, also the second one.
        Valid(
            value: #"a; b="x, y"; c="z; w""#,
            offers: [ExtensionOffer(name: "a", parameters: ["b": .text("x, y"), "c": .text("z; w")])]),
        // Numbers are written without exponents, which would be read as text.
        Valid(
            value: "a; b=99999999999999999999; c=0.00001",
            offers: [ExtensionOffer(name: "a", parameters: ["b": .decimal(1e20), "c": .decimal(0.00001)])],
            written: "a; b=100000000000000000000.0; c=0.00001"),
        Valid(
            value: "a; b; c=1; b",
            offers: [
                ExtensionOffer(name: "a", parameters: ["b": .list([.flag, .flag]), "c": .integer(1)])
            ], written: "a; b; b; c=1"),
    ]) func valid(row: Valid) throws {
        let offers = try ExtensionHeader.parse(row.value)
        #expect(offers == row.offers)
        let written = ExtensionHeader.serialize(offers)
        #expect(written == row.written ?? row.value)
        #expect(try ExtensionHeader.parse(written) == offers)
    }

    @Test(arguments: [
        ",", "a,", ",a", "a,,b", ";", "a;", "a; ;b", "a b", "a; b c", "a; b =1", "a; b= 1", "a; b=", "a; =1", "a=1",
        "a; b=\"x", "a; b=\"x\\", "a; b=\"x\"y", "a; b=\"\\\u{1}\"", "a; b=\"\n\"", "a; b=é", "é", "a; b=x=y", "\"a\"",
        "a; b=\"é\"", "a/b",
    ]) func malformed(value: String) {
        #expect(throws: ExtensionHeader.Malformed.self) { try ExtensionHeader.parse(value) }
        do throws(ExtensionHeader.Malformed) {
            _ = try ExtensionHeader.parse(value)
        } catch {
            #expect("\(error)" == "Invalid Sec-WebSocket-Extensions header: \(value)")
        }
    }

    @Test func `a large number stays finite`() throws {
        let digits = String(repeating: "9", count: 400)
        #expect(try ExtensionHeader.parse("a; b=\(digits)")[0].parameters["b"] == .text(digits))
        #expect(try ExtensionHeader.parse("a; b=99999999999999999999")[0].parameters["b"] == .decimal(1e20))
    }

    /// Counts how often a byte is looked at.
    final class Counter { var reads = 0 }
    struct CountedBytes: Collection {
        let bytes: [UInt8]
        let counter: Counter
        var startIndex: Int { bytes.startIndex }
        var endIndex: Int { bytes.endIndex }
        func index(after index: Int) -> Int { index + 1 }
        subscript(index: Int) -> UInt8 {
            counter.reads += 1
            return bytes[index]
        }
    }

    @Test(arguments: [
        "a; b=\"" + String(repeating: "\\c", count: 10_000), "a" + String(repeating: "; b", count: 10_000) + "!é",
        "a" + String(repeating: ", a", count: 10_000) + ",", String(repeating: " ", count: 20_000) + ";",
        "a; b=" + String(repeating: "x", count: 20_000) + "\"", "a; b=\"" + String(repeating: "x", count: 20_000),
    ]) func `each byte is read once`(value: String) {
        let counter = Counter()
        let bytes = CountedBytes(bytes: Array(value.utf8), counter: counter)
        #expect(ExtensionHeader.parse(utf8: bytes) == nil)
        #expect(counter.reads <= bytes.bytes.count + 1)
    }

    @Test func `a value is bounded`() {
        let long = "a; b=\"" + String(repeating: "x", count: ExtensionHeader.maximumBytes - 7) + "\""
        #expect(ExtensionHeader.parse(utf8: long.utf8)?.count == 1)
        let counter = Counter()
        let bytes = CountedBytes(bytes: Array((long + String(repeating: " ", count: 10_000)).utf8), counter: counter)
        #expect(ExtensionHeader.parse(utf8: bytes) == nil)
        #expect(counter.reads <= ExtensionHeader.maximumBytes + 1)
    }
}
