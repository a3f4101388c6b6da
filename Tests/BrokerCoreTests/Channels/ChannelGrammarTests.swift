import BrokerCore
import Testing

/// One text, and what each grammar makes of it.
struct ChannelRow: Sendable, CustomTestStringConvertible {
    enum Verdict: Sendable {
        case name(ChannelRealm = .ordinary, segments: Int)
        case pattern(ChannelPattern.Kind, prefix: String, ChannelRealm = .ordinary, segments: Int)
        case error(ChannelError)
    }

    let text: String
    let faye: Verdict
    /// The same as Faye's when not given.
    let cometd: Verdict

    init(_ text: String, _ faye: Verdict, cometd: Verdict? = nil) {
        self.text = text
        self.faye = faye
        self.cometd = cometd ?? faye
    }

    var testDescription: String { text.debugDescription }

    static let rows: [ChannelRow] = [
        // Names.
        ChannelRow("/a", .name(segments: 1)),
        ChannelRow("/chat/room-1", .name(segments: 2)),
        ChannelRow("/AZaz09-_!~()$@/x", .name(segments: 2)),
        ChannelRow("/a/b/c/d/e/f", .name(segments: 6)),
        ChannelRow("/a-name-longer-than-fifteen-bytes", .name(segments: 1)),
        // Patterns.
        ChannelRow("/*", .pattern(.children, prefix: "/", segments: 1)),
        ChannelRow("/**", .pattern(.descendants, prefix: "/", segments: 1)),
        ChannelRow("/a/*", .pattern(.children, prefix: "/a/", segments: 2)),
        ChannelRow("/a/b/**", .pattern(.descendants, prefix: "/a/b/", segments: 3)),
        // Realms.
        ChannelRow("/meta", .name(.meta, segments: 1)),
        ChannelRow("/meta/connect", .name(.meta, segments: 2)),
        ChannelRow("/meta/subscribe/x", .name(.meta, segments: 3)),
        ChannelRow("/service", .name(.service, segments: 1)),
        ChannelRow("/service/x", .name(.service, segments: 2)),
        ChannelRow("/meta/*", .pattern(.children, prefix: "/meta/", .meta, segments: 2)),
        ChannelRow("/meta/**", .pattern(.descendants, prefix: "/meta/", .meta, segments: 2)),
        ChannelRow("/service/a/**", .pattern(.descendants, prefix: "/service/a/", .service, segments: 3)),
        ChannelRow("/metadata", .name(segments: 1)),
        ChannelRow("/Meta/x", .name(segments: 2)),
        ChannelRow("/services/x", .name(segments: 2)),
        ChannelRow("/x/meta", .name(segments: 2)),
        // Faults of form.
        ChannelRow("", .error(.noLeadingSlash)),
        ChannelRow("a/b", .error(.noLeadingSlash)),
        ChannelRow("*", .error(.noLeadingSlash)),
        ChannelRow(" /a", .error(.noLeadingSlash)),
        ChannelRow("/", .error(.emptySegment(offset: 1))),
        ChannelRow("//", .error(.emptySegment(offset: 1))),
        ChannelRow("//a", .error(.emptySegment(offset: 1))),
        ChannelRow("/a//b", .error(.emptySegment(offset: 3))),
        ChannelRow("/a/", .error(.emptySegment(offset: 3))),
        ChannelRow("/meta/subscribe/", .error(.emptySegment(offset: 16))),
        ChannelRow("/a/*/b", .error(.wildcardNotLast(offset: 3))),
        ChannelRow("/**/b", .error(.wildcardNotLast(offset: 1))),
        ChannelRow("/*/", .error(.wildcardNotLast(offset: 1))),
        ChannelRow("/**/**", .error(.wildcardNotLast(offset: 1))),
        // Characters, whole-string matching.
        ChannelRow("/foo:bar", .error(.invalidCharacter(":", offset: 4))),
        ChannelRow("/f\u{F4}o", .error(.invalidCharacter("\u{F4}", offset: 2))),
        ChannelRow("/a\u{1F600}", .error(.invalidCharacter("\u{1F600}", offset: 2))),
        ChannelRow("/foo\nbar baz", .error(.invalidCharacter("\n", offset: 4))),
        ChannelRow("x\n/foo", .error(.noLeadingSlash)),
        ChannelRow("/foo\n", .error(.invalidCharacter("\n", offset: 4))),
        ChannelRow("/a\u{0}", .error(.invalidCharacter("\0", offset: 2))),
        ChannelRow("/a%2Fb", .error(.invalidCharacter("%", offset: 2))),
        ChannelRow("/a\\b", .error(.invalidCharacter("\\", offset: 2))),
        ChannelRow("/a\u{7F}", .error(.invalidCharacter("\u{7F}", offset: 2))),
        // What only CometD accepts.
        ChannelRow("/stock.ibm", .error(.invalidCharacter(".", offset: 6)), cometd: .name(segments: 1)),
        ChannelRow("/foo+bar", .error(.invalidCharacter("+", offset: 4)), cometd: .name(segments: 1)),
        ChannelRow("/a b/#{c}", .error(.invalidCharacter(" ", offset: 2)), cometd: .name(segments: 2)),
        ChannelRow("/a*b", .error(.invalidCharacter("*", offset: 2)), cometd: .name(segments: 1)),
        ChannelRow("/a/***", .error(.invalidCharacter("*", offset: 3)), cometd: .name(segments: 2)),
        ChannelRow("/**a/b", .error(.invalidCharacter("*", offset: 1)), cometd: .name(segments: 2)),
        ChannelRow("/*a", .error(.invalidCharacter("*", offset: 1)), cometd: .name(segments: 1)),
        ChannelRow(
            "/a.b/**", .error(.invalidCharacter(".", offset: 2)),
            cometd: .pattern(.descendants, prefix: "/a.b/", segments: 2)),
    ]
}

@Suite("Channel names and patterns")
struct ChannelGrammarTests {
    @Test("A name is accepted or refused, for a reason", arguments: ChannelRow.rows)
    func name(row: ChannelRow) {
        for (grammar, verdict) in [(ChannelGrammar.faye, row.faye), (.cometd, row.cometd)] {
            let read = Result { () throws(ChannelError) in
                try ChannelName(row.text, grammar: grammar, maximumBytes: 100)
            }
            let readFromBytes = Result { () throws(ChannelError) in
                try ChannelName(row.text.utf8.span.bytes, grammar: grammar, maximumBytes: 100)
            }
            #expect(read == readFromBytes)
            switch verdict {
            case .name(let realm, let segments):
                let name = try? read.get()
                #expect(name?.text == row.text)
                #expect(name?.realm == realm)
                #expect(name?.isMeta == (realm == .meta))
                #expect(name?.isService == (realm == .service))
                #expect(name?.segmentCount == segments)
            case .pattern(_, let prefix, _, _):
                #expect(read == .failure(.wildcardInName(offset: prefix.utf8.count)))
            case .error(let error):
                #expect(read == .failure(error))
            }
        }
    }

    @Test("A pattern is accepted or refused, for a reason", arguments: ChannelRow.rows)
    func pattern(row: ChannelRow) {
        for (grammar, verdict) in [(ChannelGrammar.faye, row.faye), (.cometd, row.cometd)] {
            let read = Result { () throws(ChannelError) in
                try ChannelPattern(row.text, grammar: grammar, maximumBytes: 100)
            }
            let readFromBytes = Result { () throws(ChannelError) in
                try ChannelPattern(row.text.utf8.span.bytes, grammar: grammar, maximumBytes: 100)
            }
            #expect(read == readFromBytes)
            switch verdict {
            case .name(let realm, let segments):
                expect(read, row.text, .exact, prefix: row.text, realm, segments)
            case .pattern(let kind, let prefix, let realm, let segments):
                expect(read, row.text, kind, prefix: prefix, realm, segments)
            case .error(let error):
                #expect(read == .failure(error))
            }
        }
    }

    private func expect(
        _ read: Result<ChannelPattern, ChannelError>, _ text: String, _ kind: ChannelPattern.Kind, prefix: String,
        _ realm: ChannelRealm, _ segments: Int
    ) {
        let pattern = try? read.get()
        #expect(pattern?.text == text)
        #expect(pattern?.description == text)
        #expect(pattern?.kind == kind)
        #expect(pattern?.prefix == prefix)
        #expect(pattern?.realm == realm)
        #expect(pattern?.isMeta == (realm == .meta))
        #expect(pattern?.isService == (realm == .service))
        #expect(pattern?.isForClients == (realm == .ordinary))
        #expect(pattern?.segmentCount == segments)
    }

    @Test("Each character of ASCII is in the alphabets it should be in")
    func alphabets() {
        let faye = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_!~()$@".utf8)
        let cometd = faye.union(" #*+.{}".utf8)
        for byte in UInt8(0)...255 where byte != UInt8(ascii: "/") {
            let bytes: [UInt8] = [UInt8(ascii: "/"), UInt8(ascii: "x"), byte]
            let isFaye = (try? ChannelName(bytes.span.bytes, grammar: .faye, maximumBytes: 3)) != nil
            let isCometD = (try? ChannelName(bytes.span.bytes, grammar: .cometd, maximumBytes: 3)) != nil
            #expect(isFaye == faye.contains(byte), "byte \(byte)")
            #expect(isCometD == cometd.contains(byte), "byte \(byte)")
        }
    }

    @Test("The limit on length counts bytes, and goes before all else")
    func length() throws {
        #expect(try ChannelName("/abc", grammar: .faye, maximumBytes: 4).text == "/abc")
        #expect(throws: ChannelError.tooLong(byteCount: 5, maximum: 4)) {
            try ChannelName("/abcd", grammar: .faye, maximumBytes: 4)
        }
        #expect(throws: ChannelError.tooLong(byteCount: 6, maximum: 4)) {
            try ChannelPattern("\u{F6}\u{F6}//", grammar: .faye, maximumBytes: 4)
        }
    }

    @Test("Bytes that are no UTF-8 are refused as any other wrong character")
    func invalidUTF8() {
        let bytes: [UInt8] = Array("/a".utf8) + [0xC3]
        #expect(throws: ChannelError.invalidCharacter("\u{FFFD}", offset: 2)) {
            try ChannelName(bytes.span.bytes, grammar: .cometd, maximumBytes: 10)
        }
    }

    struct DescriptionRow: Sendable {
        let error: ChannelError
        let text: String
    }

    @Test(
        "Errors say what is wrong and where, in printable ASCII",
        arguments: [
            DescriptionRow(error: .noLeadingSlash, text: "a channel begins with '/'"),
            DescriptionRow(error: .emptySegment(offset: 3), text: "empty segment at byte 3"),
            DescriptionRow(
                error: .invalidCharacter(".", offset: 6),
                text: "character '.' (U+002E) at byte 6 is not allowed in a channel"),
            DescriptionRow(
                error: .invalidCharacter("\n", offset: 4),
                text: "character U+000A at byte 4 is not allowed in a channel"),
            DescriptionRow(
                error: .invalidCharacter("\u{1F600}", offset: 2),
                text: "character U+1F600 at byte 2 is not allowed in a channel"),
            DescriptionRow(
                error: .wildcardNotLast(offset: 3), text: "wildcard at byte 3 is not the last segment"),
            DescriptionRow(
                error: .wildcardInName(offset: 3),
                text: "wildcard at byte 3, where a channel name is needed and not a pattern"),
            DescriptionRow(
                error: .tooLong(byteCount: 5, maximum: 4), text: "channel of 5 bytes, at most 4 are accepted"),
        ])
    func description(row: DescriptionRow) {
        #expect(row.error.description == row.text)
    }
}
