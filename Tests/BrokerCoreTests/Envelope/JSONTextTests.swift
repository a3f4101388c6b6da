import BrokerCore
import Testing

/// One value, and whether JSON has it. It is tried as `data` of a message, as a member of a batch, and inside of both
/// kinds of container.
struct JSONTextRow: Sendable, CustomTestStringConvertible {
    let text: String
    let kind: JSONSlice.Kind?

    var testDescription: String { text.debugDescription }

    static let accepted: [JSONTextRow] = [
        row("null", .null), row("true", .bool(true)), row("false", .bool(false)),
        row("0", .number), row("-0", .number), row("7", .number), row("-12", .number), row("10", .number),
        row("0.5", .number), row("-0.0", .number), row("1.25e3", .number), row("1E+2", .number), row("1e-2", .number),
        row("0e0", .number), row("0E1", .number), row("1e999999", .number),
        row("123456789012345678901234567890", .number),
        row("\"\"", .string), row("\"a\"", .string), row("\"1234567\"", .string), row("\"12345678\"", .string),
        row("\"123456789\"", .string), row("\"\u{7F}\"", .string), row("\"\u{E9}\u{20AC}\u{1F600}\"", .string),
        row("\"\u{2028}\u{2029}\"", .string), row("\"/'{}[]:,\"", .string), row("\"\u{FEFF}\"", .string),
        row(#""\"""#, .escapedString), row(#""\\""#, .escapedString), row(#""\/\b\f\n\r\t""#, .escapedString),
        row(#""1234567\\""#, .escapedString), row(#""\u0000""#, .escapedString),
        row(#""\u00e9\uABCD""#, .escapedString), row(#""\uD83D\uDE00""#, .escapedString),
        row(#""\uD800""#, .escapedString), row(#""\uDC00\uD800""#, .escapedString),
        row("[]", .array), row("[ ]", .array), row("[1]", .array), row("[1,2 , 3]", .array),
        row("[[],{},[[]]]", .array),
        row("[\n\t1\r\n]", .array), row(#"["]",""]"#, .array),
        row("{}", .object), row("{ }", .object), row(#"{"a":1}"#, .object), row(#"{ "a" : 1 , "b" : [ ] }"#, .object),
        row(#"{"":""}"#, .object), row(#"{"a":1,"a":2}"#, .object), row(#"{"}":{"{":"}"}}"#, .object),
        row(#"{"a":{"b":[{"c":{}}]}}"#, .object), row(#"{"\u0061":1}"#, .object),
    ]

    static let refused: [JSONTextRow] = [
        // Numbers.
        "01", "-01", "00", "+1", "-", "--1", "1.", ".5", "-.5", "1.e1", "1e", "1e+", "1E-", "1e1.5", "0x10", "1_000",
        "1a", "Infinity", "-Infinity", "NaN", "1 2", "1.2.3", "\u{FF11}",
        // Literals.
        "nul", "nulll", "Null", "TRUE", "tru", "truee", "fals", "undefined", "t", "n ull",
        // Strings.
        "\"", "\"a", "'a'", "\"a\"b\"", "\"\n\"", "\"\t\"", "\"\u{0}\"", "\"1234567\u{1F}\"", "\"12345678\u{1}\"",
        #""\""#, #""\x""#, #""\a""#, #""\0""#, #""\'""#, #""\u""#, #""\u12""#, #""\u123""#, #""\u123g""#, #""\U0041""#,
        #""\u{41}""#, #""\u 041""#, #""\u+041""#, #""\"#, "\"\\\n\"", "a",
        // Arrays.
        "[", "]", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1 2]", "[1,,2]", "[1}", "[1:2]", "[1;2]", "[]]", "[[]",
        "[\"a\"\"b\"]",
        // Objects.
        "{", "}", "{1:2}", "{a:1}", "{'a':1}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{,"a":1}"#, #"{"a":1"b":2}"#,
        #"{"a" 1}"#, #"{"a"::1}"#, #"{"a":1:2}"#, #"{"a":1]"#, #"{"a":1}}"#, #"{null:1}"#, #"{"a",1}"#, #"{["a"]:1}"#,
        // What other notations have, and no value at all.
        "", " ", "// x\n1", "/**/1", "1//", "#", "\u{A0}1", "\u{B}1", "\u{C}1", "\u{2028}1", "\u{FEFF}1", "1\u{0}", ";",
    ].map { row($0, nil) }

    private static func row(_ text: String, _ kind: JSONSlice.Kind?) -> JSONTextRow {
        JSONTextRow(text: text, kind: kind)
    }
}

@Suite("JSON texts")
struct JSONTextTests {
    private let scanner = EnvelopeScanner()

    private func scan(_ text: String) throws(EnvelopeError) -> [Envelope] {
        var batch: [Envelope] = []
        try scanner.scan(text.utf8.span.bytes, into: &batch)
        return batch
    }

    @Test("What JSON has is accepted, wherever it is", arguments: JSONTextRow.accepted)
    func accepted(row: JSONTextRow) throws {
        for space in ["", " ", "\n\t\r "] {
            let spaced = space + row.text + space
            let message = try scan("{\"data\":\(spaced)}")
            let head = 8 + space.utf8.count
            #expect(message.count == 1)
            #expect(message[0].data.kind == row.kind)
            #expect(message[0].data.range == head..<head + row.text.utf8.count)
            #expect(message[0].whole.range == 0..<9 + spaced.utf8.count)
            let member = try scan("[\(spaced)]")
            #expect(member.count == 1)
            #expect(member[0].whole.kind == row.kind)
            #expect(member[0].whole.range == 1 + space.utf8.count..<1 + space.utf8.count + row.text.utf8.count)
            #expect(try scan("[{\"data\":[0,\(spaced)]}]").count == 1)
            #expect(try scan("{\"data\":{\"a\":\(spaced),\"b\":\(spaced)}}").count == 1)
            #expect(try scan("{\"other\":\(spaced)}").count == 1)
        }
    }

    @Test("What JSON does not have is refused, wherever it is", arguments: JSONTextRow.refused)
    func refused(row: JSONTextRow) {
        for text in [
            "{\"data\":\(row.text)}", "[\(row.text),1]", "[1,\(row.text)]", "[{\"data\":[0,\(row.text)]}]",
            "{\"data\":{\"a\":\(row.text)}}", "{\"other\":\(row.text)}", "[[\(row.text),1]]",
        ] {
            var batch = [Envelope()]
            #expect(throws: EnvelopeError.self, "\(text)") {
                try scanner.scan(text.utf8.span.bytes, into: &batch)
            }
            #expect(batch.isEmpty)
        }
    }

    struct ErrorRow: Sendable {
        let text: String
        let error: EnvelopeError

        init(_ text: String, _ fault: EnvelopeError.Fault, _ offset: Int) {
            self.text = text
            self.error = .notJSON(fault, offset: offset)
        }

        init(_ text: String, _ error: EnvelopeError) {
            self.text = text
            self.error = error
        }
    }

    @Test(
        "An error says what is wrong and where",
        arguments: [
            ErrorRow("", .unexpectedEnd, 0),
            ErrorRow("  ", .unexpectedEnd, 2),
            ErrorRow("[", .unexpectedEnd, 1),
            ErrorRow("[{\"a\":1", .unexpectedEnd, 7),
            ErrorRow("{\"data\":\"abc", .unexpectedEnd, 12),
            ErrorRow("{\"data\":\"abcdefghijk\\", .unexpectedEnd, 21),
            ErrorRow("{\"data\":\"\\u12", .unexpectedEnd, 13),
            ErrorRow("[?]", .valueExpected, 1),
            ErrorRow("[1,]", .valueExpected, 3),
            ErrorRow("[nul]", .valueExpected, 1),
            ErrorRow("hello", .valueExpected, 0),
            ErrorRow("{\"a\":1,}", .nameExpected, 7),
            ErrorRow("{a:1}", .nameExpected, 1),
            ErrorRow("[{\"a\" 1}]", .colonExpected, 6),
            ErrorRow("{\"a\":1 \"b\":2}", .commaOrEndExpected, 7),
            ErrorRow("[1}", .commaOrEndExpected, 2),
            ErrorRow("[[1}]", .commaOrEndExpected, 3),
            ErrorRow("[01]", .malformedNumber, 2),
            ErrorRow("[1.x]", .malformedNumber, 3),
            ErrorRow("[\"a\\q\"]", .malformedEscape, 3),
            ErrorRow("[\"a\\u12x4\"]", .malformedEscape, 3),
            ErrorRow("[\"abcdefghij\n\"]", .controlCharacter, 12),
            ErrorRow("[]]", .trailingBytes, 2),
            ErrorRow("{} {}", .trailingBytes, 3),
            ErrorRow("1 1", .trailingBytes, 2),
            ErrorRow("\u{FEFF}[]", .valueExpected, 0),
            ErrorRow("null", .notAMessage(.null)),
            ErrorRow(" 1 ", .notAMessage(.number)),
            ErrorRow("\"x\"", .notAMessage(.string)),
            ErrorRow("true", .notAMessage(.bool(true))),
        ])
    func errors(row: ErrorRow) {
        #expect(throws: row.error) { try scan(row.text) }
    }

    struct DescriptionRow: Sendable {
        let error: EnvelopeError
        let text: String
    }

    @Test(
        "Errors are readable",
        arguments: [
            DescriptionRow(
                error: .notJSON(.colonExpected, offset: 6), text: "not JSON: ':' expected at byte 6"),
            DescriptionRow(
                error: .notJSON(.invalidUTF8, offset: 3), text: "not JSON: invalid UTF-8 at byte 3"),
            DescriptionRow(
                error: .tooDeep(maximum: 64, offset: 99), text: "nested deeper than 64 levels at byte 99"),
            DescriptionRow(error: .tooManyMessages(maximum: 10), text: "more than 10 messages in one batch"),
            DescriptionRow(
                error: .notAMessage(.bool(false)), text: "neither an object nor an array but false"),
        ])
    func descriptions(row: DescriptionRow) {
        #expect(row.error.description == row.text)
    }
}
