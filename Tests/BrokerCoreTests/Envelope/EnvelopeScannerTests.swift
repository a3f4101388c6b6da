import BrokerCore
import Testing

/// The fields of an envelope as the bytes they were written in.
func fields(of envelope: Envelope, in text: String) -> [String: String] {
    let slices: [(String, JSONSlice)] = [
        ("channel", envelope.channel), ("clientId", envelope.clientId), ("id", envelope.id), ("data", envelope.data),
        ("ext", envelope.ext), ("subscription", envelope.subscription), ("version", envelope.version),
        ("minimumVersion", envelope.minimumVersion),
        ("supportedConnectionTypes", envelope.supportedConnectionTypes),
        ("connectionType", envelope.connectionType), ("advice", envelope.advice),
        ("successful", envelope.successful), ("error", envelope.error),
    ]
    let bytes = Array(text.utf8)
    var fields: [String: String] = [:]
    for (name, slice) in slices where !slice.isAbsent {
        fields[name] = String(decoding: bytes[slice.range], as: UTF8.self)
    }
    return fields
}

/// A message, and its fields as written.
struct EnvelopeRow: Sendable, CustomTestStringConvertible {
    let text: String
    let fields: [String: String]

    var testDescription: String { text.debugDescription }
}

@Suite("Envelope scanner")
struct EnvelopeScannerTests {
    private let scanner = EnvelopeScanner()

    private func scan(_ text: String) throws(EnvelopeError) -> [Envelope] {
        var batch: [Envelope] = []
        try scanner.scan(text.utf8.span.bytes, into: &batch)
        return batch
    }

    static let all =
        #"{"channel":"/a","clientId":"c","id":7,"data":{"x":[1, 2]},"ext":{"ack":true},"subscription":["/a","/b"],"#
        + #""version":"1.0","minimumVersion":"0.9","supportedConnectionTypes":[],"connectionType":"websocket","#
        + #""advice":{"timeout":0},"successful":true,"error":"401::"}"#

    @Test(
        "Every field is found, under its own name only",
        arguments: [
            EnvelopeRow(
                text: all,
                fields: [
                    "channel": "\"/a\"", "clientId": "\"c\"", "id": "7", "data": "{\"x\":[1, 2]}",
                    "ext": "{\"ack\":true}", "subscription": "[\"/a\",\"/b\"]", "version": "\"1.0\"",
                    "minimumVersion": "\"0.9\"", "supportedConnectionTypes": "[]",
                    "connectionType": "\"websocket\"", "advice": "{\"timeout\":0}", "successful": "true",
                    "error": "\"401::\"",
                ]),
            EnvelopeRow(text: "{}", fields: [:]),
            EnvelopeRow(text: #"{"data":null}"#, fields: ["data": "null"]),
            EnvelopeRow(
                text: "{\n \"id\" :\t\"1\" ,\r\n\"data\": -1.5e3 }",
                fields: ["id": "\"1\"", "data": "-1.5e3"]),
            // Names that are nearly those of fields.
            EnvelopeRow(
                text: #"{"Channel":1,"channe":1,"channels":1,"xhannel":1,"channex":1,"iD":1,"":1,"dat":1,"datb":1}"#,
                fields: [:]),
            EnvelopeRow(
                text: #"{"clientid":1,"clientIe":1,"subscriptiom":1,"subscriptionx":1,"connectionTypf":1,"errer":1}"#,
                fields: [:]),
            EnvelopeRow(
                text: #"{"supportedConnectionTypez":1,"supportedXonnectionTypes":1,"xupportedConnectionTypes":1}"#,
                fields: [:]),
            EnvelopeRow(
                text: #"{"advicf":1,"versiom":1,"successfuk":1,"minimumVersiom":1,"xinimumVersion":1,"ex":1}"#,
                fields: [:]),
            // What is inside of a value is not a field.
            EnvelopeRow(
                text: #"{"data":{"channel":"/x","id":1},"x":[{"id":2}],"ext":"channel"}"#,
                fields: ["data": #"{"channel":"/x","id":1}"#, "ext": "\"channel\""]),
            // The last one counts.
            EnvelopeRow(
                text: #"{"channel":"/a","id":1,"channel":"/b","id":null}"#,
                fields: ["channel": "\"/b\"", "id": "null"]),
            // Names with escapes.
            EnvelopeRow(text: #"{"\u0063hannel":"/a"}"#, fields: ["channel": "\"/a\""]),
            EnvelopeRow(text: #"{"channel":"/a","chann\u0065l":"/b"}"#, fields: ["channel": "\"/b\""]),
            EnvelopeRow(text: #"{"\u0069\u0064":1,"dat\u0062":2,"\"id":3,"id\\":4}"#, fields: ["id": "1"]),
            EnvelopeRow(
                text: "{\""
                    + "supportedConnectionTypes".utf8.map { "\\u00" + String($0, radix: 16) }.joined() + "\":[1]}",
                fields: ["supportedConnectionTypes": "[1]"]),
            EnvelopeRow(text: #"{"\u0000id":1,"id\u0000":2,"\ud800":3}"#, fields: [:]),
        ])
    func fieldsAreFound(row: EnvelopeRow) throws {
        for (text, count) in [(row.text, 1), ("[\(row.text)]", 1), (" [ \(row.text) , \(row.text) ] ", 2)] {
            let batch = try scan(text)
            #expect(batch.count == count)
            for envelope in batch {
                #expect(envelope.isObject)
                #expect(fields(of: envelope, in: text) == row.fields)
                #expect(text.utf8.dropFirst(envelope.whole.range.lowerBound).starts(with: row.text.utf8))
                #expect(Int(envelope.whole.count) == row.text.utf8.count)
            }
        }
    }

    @Test("A batch is an array, or one object")
    func forms() throws {
        for (text, form, count) in [
            ("[]", EnvelopeScanner.Form.array, 0), (" [ ] ", .array, 0), ("[{}]", .array, 1), ("{}", .bareObject, 1),
        ] {
            var batch: [Envelope] = []
            let found = try scanner.scan(text.utf8.span.bytes, into: &batch)
            #expect(found == form)
            #expect(batch.count == count)
        }
    }

    @Test("Members that are no objects are kept, without fields")
    func otherMembers() throws {
        let text = #"[1, "x", null, [{"channel":"/a"}], {"id":1}, true]"#
        let batch = try scan(text)
        #expect(batch.map(\.whole.kind) == [.number, .string, .null, .array, .object, .bool(true)])
        #expect(batch.map(\.isObject) == [false, false, false, false, true, false])
        #expect(batch.map(\.isNull) == [false, false, true, false, false, false])
        #expect(batch.map { fields(of: $0, in: text) } == [[:], [:], [:], [:], ["id": "1"], [:]])
    }

    @Test("What the last batch held is gone")
    func batchIsReused() throws {
        var batch: [Envelope] = []
        try scanner.scan("[\(Self.all),\(Self.all)]".utf8.span.bytes, into: &batch)
        let capacity = batch.capacity
        try scanner.scan("{\"id\":1}".utf8.span.bytes, into: &batch)
        #expect(batch.count == 1)
        #expect(batch[0].channel.isAbsent)
        #expect(batch.capacity == capacity)
        #expect(throws: EnvelopeError.self) { try scanner.scan("[{},".utf8.span.bytes, into: &batch) }
        #expect(batch.isEmpty)
    }

    @Test("Every truncation of a batch is refused")
    func truncations() {
        let text = "[\(Self.all), {\"data\":\"\\u00e9\u{20AC}\\n\", \"x\":[true,false,null,-1.5e3]}, 1 ]"
        let bytes = Array(text.utf8)
        for count in 0..<bytes.count {
            var batch: [Envelope] = []
            let part = Array(bytes[..<count])
            #expect(throws: EnvelopeError.notJSON(.unexpectedEnd, offset: count), "\(count) bytes") {
                try scanner.scan(part.span.bytes, into: &batch)
            }
        }
    }

    @Test("Nothing behind the end of the text is read")
    func endOfText() throws {
        // The same text as part of a longer one, so that a look behind the end would change the result.
        let text = Array("{\"id\":\"12345678901\"}\"}".utf8)
        let part = text.span.bytes.extracting(first: 20)
        var batch: [Envelope] = []
        try scanner.scan(part, into: &batch)
        #expect(batch[0].id.range == 6..<19)
        #expect(throws: EnvelopeError.notJSON(.unexpectedEnd, offset: 18)) {
            try scanner.scan(text.span.bytes.extracting(first: 18), into: &batch)
        }
        for (count, start) in (3..<20).flatMap({ [($0, "\"xx"), ($0, "\"\\n")] }) {
            let string = Array((start + String(repeating: "x", count: count - 3) + "\"       ").utf8)
            #expect(throws: EnvelopeError.notJSON(.unexpectedEnd, offset: count)) {
                try scanner.scan(string.span.bytes.extracting(first: count), into: &batch)
            }
        }
    }

    struct UTF8Row: Sendable {
        let bytes: [UInt8]
        let offset: Int
    }

    @Test(
        "Bytes that are no UTF-8 are refused where nobody has checked them",
        arguments: [
            UTF8Row(bytes: [0xFF], offset: 9), UTF8Row(bytes: [0x61, 0xC3], offset: 10),
            UTF8Row(bytes: [0xC0, 0x80], offset: 9), UTF8Row(bytes: [0xED, 0xA0, 0x80], offset: 9),
            UTF8Row(bytes: [0xF4, 0x90, 0x80, 0x80], offset: 9), UTF8Row(bytes: [0x80], offset: 9),
        ])
    func invalidUTF8(row: UTF8Row) throws {
        let text = Array("{\"data\":\"".utf8) + row.bytes + Array("\"}".utf8)
        var batch = [Envelope()]
        #expect(throws: EnvelopeError.notJSON(.invalidUTF8, offset: row.offset)) {
            try scanner.scan(validatingUTF8: text.span.bytes, into: &batch)
        }
        #expect(batch.isEmpty)
        let valid = Array("{\"data\":\"\u{E9}\u{20AC}\u{1F600}\"}".utf8)
        try scanner.scan(validatingUTF8: valid.span.bytes, into: &batch)
        #expect(batch[0].data.range == 8..<19)
    }
}
