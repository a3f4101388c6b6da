import BrokerCore
import Testing

@Suite("Reading slices")
struct JSONReadingTests {
    /// Scans the value as `data` of a message, and reads it.
    private func read<Value>(_ value: String, _ body: (JSONSlice, RawSpan) throws -> Value) throws -> Value {
        let text = "{\"data\":\(value)}"
        var batch: [Envelope] = []
        try EnvelopeScanner().scan(text.utf8.span.bytes, into: &batch)
        return try body(batch[0].data, text.utf8.span.bytes)
    }

    struct StringRow: Sendable {
        let json: String
        let string: String?
    }

    @Test(
        "Strings are decoded",
        arguments: [
            StringRow(json: #""""#, string: ""),
            StringRow(json: #""abc""#, string: "abc"),
            StringRow(json: "\"\u{E9}\u{1F600}\"", string: "\u{E9}\u{1F600}"),
            StringRow(json: #""\"\\\/\b\f\n\r\t""#, string: "\"\\/\u{8}\u{C}\n\r\t"),
            StringRow(json: #""a\u0062c\u00E9\u20ac""#, string: "abc\u{E9}\u{20AC}"),
            StringRow(json: #""\u0000""#, string: "\0"),
            StringRow(json: #""\uD83D\uDE00""#, string: "\u{1F600}"),
            StringRow(json: #""\ud83d\ude00x""#, string: "\u{1F600}x"),
            StringRow(json: #""\uDBFF\uDFFF""#, string: "\u{10FFFF}"),
            // Surrogates without their partners.
            StringRow(json: #""\uD83D""#, string: "\u{FFFD}"),
            StringRow(json: #""\uDE00\uD83D""#, string: "\u{FFFD}\u{FFFD}"),
            StringRow(json: #""\uD83Dx\uDE00""#, string: "\u{FFFD}x\u{FFFD}"),
            StringRow(json: #""\uD83D\n""#, string: "\u{FFFD}\n"),
            StringRow(json: #""\uD83D\u0041""#, string: "\u{FFFD}A"),
            StringRow(json: #""\uD83D\uD83D\uDE00""#, string: "\u{FFFD}\u{1F600}"),
            // Other kinds.
            StringRow(json: "1", string: nil), StringRow(json: "null", string: nil),
            StringRow(json: #"["a"]"#, string: nil),
        ])
    func strings(row: StringRow) throws {
        #expect(try read(row.json) { $0.string(in: $1) } == row.string)
        guard let string = row.string else { return }
        #expect(try read(row.json) { $0.equals(Array(string.utf8), in: $1) })
        #expect(try !read(row.json) { $0.equals(Array((string + "x").utf8), in: $1) })
        #expect(try !read(row.json) { $0.equals(Array(("x" + string.dropFirst()).utf8), in: $1) })
    }

    @Test("Strings are compared with literals")
    func literals() throws {
        #expect(try read("\"websocket\"") { $0.equals("websocket", in: $1) })
        #expect(try read("\"web\\u0073ocket\"") { $0.equals("websocket", in: $1) })
        // All of it in escapes, and one more.
        let escapes = "websocket".unicodeScalars.map { "\\u00" + String($0.value, radix: 16) }.joined()
        #expect(try read("\"\(escapes)\"") { $0.equals("websocket", in: $1) })
        #expect(try !read("\"\(escapes)\\u0073\"") { $0.equals("websocket", in: $1) })
        #expect(try !read("\"websockets\"") { $0.equals("websocket", in: $1) })
        #expect(try !read("\"Websocket\"") { $0.equals("websocket", in: $1) })
        #expect(try !read("[\"websocket\"]") { $0.equals("websocket", in: $1) })
        let nothing = JSONSlice.absent.equals("", in: "".utf8.span.bytes)
        #expect(nothing == false)
    }

    struct NumberRow: Sendable {
        let json: String
        let integer: Int64?
        let double: Double?
    }

    @Test(
        "Numbers are decoded, or not at all",
        arguments: [
            NumberRow(json: "0", integer: 0, double: 0), NumberRow(json: "-0", integer: 0, double: -0.0),
            NumberRow(json: "30000", integer: 30000, double: 30000),
            NumberRow(json: "-12", integer: -12, double: -12),
            NumberRow(json: "30000.0", integer: 30000, double: 30000),
            NumberRow(json: "3e4", integer: 30000, double: 30000),
            NumberRow(json: "-3E+4", integer: -30000, double: -30000),
            NumberRow(json: "0.5", integer: nil, double: 0.5),
            NumberRow(json: "1e-2", integer: nil, double: 0.01),
            NumberRow(json: "9223372036854775807", integer: .max, double: 0x1p63),
            NumberRow(json: "-9223372036854775808", integer: .min, double: -0x1p63),
            NumberRow(json: "9223372036854775808", integer: nil, double: 0x1p63),
            NumberRow(json: "-9223372036854775809", integer: .min, double: -0x1p63),
            NumberRow(json: "1e19", integer: nil, double: 1e19), NumberRow(json: "1e999", integer: nil, double: nil),
            NumberRow(json: "-1e999", integer: nil, double: nil),
            NumberRow(json: "\"1\"", integer: nil, double: nil), NumberRow(json: "null", integer: nil, double: nil),
            NumberRow(json: "true", integer: nil, double: nil),
        ])
    func numbers(row: NumberRow) throws {
        #expect(try read(row.json) { $0.integer(in: $1) } == row.integer)
        #expect(try read(row.json) { $0.double(in: $1) } == row.double)
    }

    @Test("Booleans are booleans only")
    func booleans() throws {
        #expect(try read("true") { slice, _ in slice.bool } == true)
        #expect(try read("false") { slice, _ in slice.bool } == false)
        #expect(try read("0") { slice, _ in slice.bool } == nil)
        #expect(try read("\"true\"") { slice, _ in slice.bool } == nil)
        #expect(JSONSlice.absent.bool == nil)
    }

    @Test("Arrays of strings are arrays of nothing else")
    func stringArrays() throws {
        #expect(try read("[]") { $0.strings(in: $1) } == [])
        #expect(try read(#"[ "/a" , "\/b","" ]"#) { $0.strings(in: $1) } == ["/a", "/b", ""])
        #expect(try read(#"["/a",1]"#) { $0.strings(in: $1) } == nil)
        #expect(try read(#"["/a",["/b"]]"#) { $0.strings(in: $1) } == nil)
        #expect(try read(#""/a""#) { $0.strings(in: $1) } == nil)
        let nothing = JSONSlice.absent.strings(in: "".utf8.span.bytes)
        #expect(nothing == nil)
    }

    @Test("The elements of an array come in order, each with its bytes")
    func elements() throws {
        let json = #"[ 1 ,"a,]" , [2, [3]],{"x":[]}, null,true ]"#
        let found = try read(json) { slice, text in
            var written: [String] = []
            var elements = slice.elements
            while let element = elements.next(in: text) { written.append(Self.bytes(of: element, in: text)) }
            let end = elements.next(in: text)
            #expect(end == nil)
            return written
        }
        #expect(found == ["1", #""a,]""#, "[2, [3]]", #"{"x":[]}"#, "null", "true"])
        for other in ["[]", "[ ]", "{}", #"{"a":1}"#, "1", "\"[1]\""] {
            #expect(
                try read(other) { slice, text in
                    var elements = slice.elements
                    return elements.next(in: text) == nil
                })
        }
    }

    @Test("The members of an object come in order, repeated ones included")
    func members() throws {
        let json = #"{ "a" : 1 ,"b":{"a":[2]}, "a":"}" ,"\u0063":null}"#
        let found = try read(json) { slice, text in
            var written: [[String]] = []
            var members = slice.members
            while let (name, value) = members.next(in: text) {
                written.append([name.string(in: text) ?? "", Self.bytes(of: value, in: text)])
            }
            return written
        }
        #expect(found == [["a", "1"], ["b", #"{"a":[2]}"#], ["a", #""}""#], ["c", "null"]])
    }

    @Test("A member is looked up by name; the last one counts")
    func member() throws {
        let json = #"{"retain":true,"ttl":5,"\u0074tl":60,"deep":{"x":1}}"#
        #expect(try read(json) { $0.member("retain", in: $1).bool } == true)
        #expect(try read(json) { $0.member("ttl", in: $1).integer(in: $1) } == 60)
        #expect(try read(json) { $0.member("x", in: $1).isAbsent })
        #expect(try read(json) { $0.member("deep", in: $1).member("x", in: $1).integer(in: $1) } == 1)
        #expect(try read("[\"ttl\",1]") { $0.member("ttl", in: $1).isAbsent })
        let nothing = JSONSlice.absent.member("ttl", in: "".utf8.span.bytes)
        #expect(nothing.isAbsent)
    }

    @Test("Slices of another text read nonsense or nothing, but only what is there")
    func otherText() throws {
        let original = #"{"data":["\u0041bc",{"x":12345}]}"#
        var batch: [Envelope] = []
        try EnvelopeScanner().scan(original.utf8.span.bytes, into: &batch)
        let data = batch[0].data
        for other in ["", "x", String(repeating: "\\", count: 100), String(repeating: "[", count: 100)] {
            let text = other.utf8.span.bytes
            for kind in [JSONSlice.Kind.string, .escapedString, .number, .array, .object] {
                let slice = JSONSlice(kind: kind, offset: data.offset, count: data.count)
                var elements = slice.elements
                let numbers = (slice.integer(in: text), slice.double(in: text), elements.next(in: text)?.count)
                #expect(numbers == (nil, nil, nil))
                let isEqual = slice.equals("abc", in: text)
                let member = slice.member("x", in: text)
                let strings = slice.strings(in: text)
                #expect(!isEqual && member.isAbsent && strings ?? [] == [])
                // What lies there is 100 characters of rubbish, or not there at all.
                let string = slice.string(in: text)
                #expect(string == nil || other.utf8.count == 100)
            }
        }
    }

    private static func bytes(of slice: JSONSlice, in text: RawSpan) -> String {
        var bytes: [UInt8] = []
        bytes.append(slice, of: text)
        return String(decoding: bytes, as: UTF8.self)
    }
}
