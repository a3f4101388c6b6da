import BrokerCore
import Support
import Testing

@Suite("Writing JSON")
struct JSONWritingTests {
    struct StringRow: Sendable {
        let string: String
        let json: String
    }

    @Test(
        "Strings are written with the escapes they need",
        arguments: [
            StringRow(string: "", json: #""""#),
            StringRow(string: "abc", json: #""abc""#),
            StringRow(string: "say \"hi\"", json: #""say \"hi\"""#),
            StringRow(string: "a\\b/c", json: #""a\\b/c""#),
            StringRow(string: "\u{8}\t\n\u{C}\r", json: #""\b\t\n\f\r""#),
            StringRow(string: "\0\u{1}\u{B}\u{1F}\u{20}\u{7F}", json: "\"\\u0000\\u0001\\u000b\\u001f \u{7F}\""),
            StringRow(string: "\u{2028}x\u{2029}\u{2027}\u{202A}", json: "\"\\u2028x\\u2029\u{2027}\u{202A}\""),
            StringRow(string: "\u{E9}\u{20AC}\u{1F600}\u{2228}", json: "\"\u{E9}\u{20AC}\u{1F600}\u{2228}\""),
            StringRow(string: "0123456789\"0123456789\n", json: #""0123456789\"0123456789\n""#),
            StringRow(string: "01234567\u{2028}01234567", json: #""01234567\u202801234567""#),
        ])
    func strings(row: StringRow) {
        var bytes: [UInt8] = [1]
        bytes.append(jsonString: row.string)
        #expect(bytes.first == 1)
        #expect(String(decoding: bytes.dropFirst(), as: UTF8.self) == row.json)
    }

    @Test("Bytes that are no UTF-8 are passed on")
    func brokenBytes() {
        let broken: [UInt8] = [0xE2, 0x80]
        var bytes: [UInt8] = []
        bytes.append(jsonString: broken.span.bytes)
        #expect(bytes == [0x22, 0xE2, 0x80, 0x22])
    }

    @Test("What was written reads back the same")
    func roundTrip() throws {
        var random = SeededGenerator(seed: 11)
        let alphabet: [Unicode.Scalar] = [
            "a", "b", "\"", "\\", "/", "\n", "\u{0}", "\u{1F}", "\u{7F}", "\u{E9}", "\u{2027}", "\u{2028}", "\u{2029}",
            "\u{202A}", "\u{FFFF}", "\u{1F600}", "u", "0",
        ]
        for _ in 0..<5000 {
            var string = ""
            for _ in 0..<Int.random(in: 0..<40, using: &random) {
                string.unicodeScalars.append(alphabet.randomElement(using: &random) ?? "a")
            }
            var text = Array("{\"data\":".utf8)
            text.append(jsonString: string)
            text.append(UInt8(ascii: "}"))
            var batch: [Envelope] = []
            try EnvelopeScanner().scan(validatingUTF8: text.span.bytes, into: &batch)
            let read = batch[0].data.string(in: text.span.bytes)
            #expect(read.map { Array($0.unicodeScalars) } == Array(string.unicodeScalars))
        }
    }

    @Test("Integers are written in decimal", arguments: [0, 1, -1, 9, 10, 12_345, -60_000, Int64.max, Int64.min])
    func integers(value: Int64) {
        var bytes = Array("x".utf8)
        bytes.append(jsonInteger: value)
        #expect(String(decoding: bytes, as: UTF8.self) == "x\(value)")
    }

    struct LineRow: Sendable {
        let json: String
        let line: String
    }

    @Test(
        "A value is written as it came, or on one line",
        arguments: [
            LineRow(json: "{\"a\":1}", line: "{\"a\":1}"),
            LineRow(json: "{\n\t\"a\": [1,\r\n2]}", line: "{  \"a\": [1,  2]}"),
            LineRow(json: #""a\"\n""#, line: #""a\"\n""#),
            LineRow(json: "[\"\u{2028}\u{2029}\u{E9}\u{202A}\"]", line: "[\"\\u2028\\u2029\u{E9}\u{202A}\"]"),
        ])
    func lines(row: LineRow) throws {
        let text = "{\"data\":\(row.json) }"
        var batch: [Envelope] = []
        try EnvelopeScanner().scan(text.utf8.span.bytes, into: &batch)
        var same: [UInt8] = []
        same.append(batch[0].data, of: text.utf8.span.bytes)
        #expect(String(decoding: same, as: UTF8.self) == row.json)
        var line: [UInt8] = []
        line.append(oneLine: batch[0].data, of: text.utf8.span.bytes)
        #expect(String(decoding: line, as: UTF8.self) == row.line)
        line.append(JSONSlice.absent, of: text.utf8.span.bytes)
        #expect(line.count == row.line.utf8.count)
    }
}
