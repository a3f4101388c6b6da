import BrokerFront
import Logging

/// What a setting takes: how its text is read and written, and what the reference says of it.
struct ValueType<Value>: Sendable {
    /// Its name in the reference.
    let name: String
    /// What a good value is, to go on after "is not".
    let expected: String
    /// The value that a text stands for; nil if it is not a good one.
    let parse: @Sendable (String) -> Value?
    /// The shortest text that stands for the value.
    let format: @Sendable (Value) -> String

    /// The same, for a value that may be absent.
    var optional: ValueType<Value?> {
        let (parse, format) = (parse, format)
        return ValueType<Value?>(
            name: name, expected: expected, parse: { text in parse(text).map { .some($0) } },
            format: { $0.map(format) ?? "" })
    }
}

extension ValueType where Value == Int {
    /// As many as nobody means: with more of them sums might overflow.
    private static let most = 1_000_000_000

    /// A number, up to as many as are as good as no bound.
    static func count(_ range: PartialRangeFrom<Int>) -> Self { count(range.lowerBound...most) }

    /// A number within bounds.
    static func count(_ range: ClosedRange<Int>) -> Self {
        let expected = "a number from \(range.lowerBound) to \(range.upperBound)"
        return Self(
            name: expected, expected: expected, parse: { text in Int(text).flatMap { range.contains($0) ? $0 : nil } },
            format: { String($0) })
    }

    /// An amount of bytes, above 0: a number, or one of KiB, MiB or GiB.
    static let bytes = bytes(1...1024 << 30)
    /// The same for what is gathered in one piece of memory. TLS takes less than 2 GiB at once, and what goes out can be up to
    /// three times as large as what came.
    static let pieceBytes = bytes(1...512 << 20)

    /// An amount of bytes within bounds.
    static func bytes(_ range: ClosedRange<Int>) -> Self {
        let bounds = "from \(ByteAmount.format(range.lowerBound)) to \(ByteAmount.format(range.upperBound))"
        return Self(
            name: "bytes " + bounds, expected: "a number of bytes \(bounds), such as 65536 or 64KiB",
            parse: { text in ByteAmount.parse(text).flatMap { range.contains($0) ? $0 : nil } },
            format: ByteAmount.format)
    }
}

extension ValueType where Value == Int? {
    /// An amount of bytes from which something is done; 0 for never.
    static let threshold = Self(
        name: "bytes, or 0", expected: "a number of bytes such as 1024 or 64KiB, or 0 for none",
        parse: { text in
            guard let bytes = ByteAmount.parse(text) else { return nil }
            return .some(bytes == 0 ? nil : bytes)
        },
        format: { $0.map(ByteAmount.format) ?? "0" })
}

extension ValueType where Value == Duration {
    /// A time above 0: a number of seconds, or one with a unit.
    static let time = Self(
        name: "time", expected: "a number of seconds above 0, or a time such as 500ms, 30s, 5m or 1h",
        parse: TimeSpan.parse, format: TimeSpan.format)
}

extension ValueType where Value == Duration {
    /// A time, or none.
    static let pause = Self(
        name: "time, or 0", expected: "a time such as 500ms, 30s or 5m, or 0 for none",
        parse: { $0 == "0" ? .zero : TimeSpan.parse($0) }, format: { $0 == .zero ? "0" : TimeSpan.format($0) })
}

extension ValueType where Value == Bool {
    static let flag = Self(
        name: "true or false", expected: "true or false", parse: { Bool($0) }, format: { String($0) })
}

extension ValueType where Value == String {
    /// The path of a file that the broker reads.
    static let file = Self(
        name: "file", expected: "the path of a file", parse: { $0.isEmpty ? nil : $0 }, format: { $0 })
    /// An origin of web pages.
    static let origin = Self(
        name: "origin", expected: "an origin such as https://example.com, or *",
        parse: { $0 == "*" || isOrigin($0) ? $0 : nil }, format: { $0 })

    /// Browsers send a scheme, a host and perhaps a port (RFC 6454 §6.2): what has more would let nobody in.
    private static func isOrigin(_ text: String) -> Bool {
        guard let scheme = ["http://", "https://"].first(where: text.hasPrefix) else { return false }
        let authority = text.dropFirst(scheme.count)
        return !authority.isEmpty && !authority.contains { "/?#@*,".contains($0) || $0.isWhitespace }
    }

    /// A path that the broker serves nothing else at.
    static let path = Self(
        name: "path",
        expected: "a path such as /bayeux, of letters, digits and -._~, at which nothing else is served",
        parse: { text in
            let parts = text.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
            guard text.hasPrefix("/"), let first = parts.first, !HTTPPaths.own.contains(first),
                parts.allSatisfy({ part in
                    !part.isEmpty && part != "." && part != ".."
                        && part.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-._~".contains($0)) }
                })
            else { return nil }
            return text
        }, format: { $0 })
}

extension ValueType where Value == String {
    /// A name without blanks.
    static let name = Self(
        name: "name", expected: "a name without blanks",
        parse: { $0.isEmpty || $0.contains(where: \.isWhitespace) ? nil : $0 }, format: { $0 })
}

extension ValueType where Value == ListenerAddress {
    /// Where to listen.
    static let listenAddress = Self(
        name: "host:port, unix:/path or systemd:NAME",
        expected: "an address and port such as 127.0.0.1:8000, a socket such as unix:/run/fanfare.sock, or systemd",
        parse: ListenerAddress.init, format: \.description)
}

extension ValueType where Value == UInt32 {
    /// A file's mode.
    static let fileMode = Self(
        name: "octal digits", expected: "a mode of three octal digits such as 660",
        parse: { text in
            let digits = text.count == 4 && text.first == "0" ? text.dropFirst() : text[...]
            guard digits.count == 3, digits.allSatisfy({ "01234567".contains($0) }) else { return nil }
            return UInt32(digits, radix: 8)
        },
        format: { String($0, radix: 8) })
}

extension ValueType where Value == DatabaseLocation {
    static let database = Self(
        name: "file, or :memory:", expected: "the path of a file, or :memory:",
        parse: { $0.isEmpty ? nil : DatabaseLocation($0) },
        format: { location in
            switch location {
            case .memory: ":memory:"
            case .file(let path): path
            }
        })
}

extension ValueType where Value: CaseIterable & RawRepresentable & Sendable, Value.RawValue == String {
    /// One of a few words.
    static var choice: Self {
        let words = Value.allCases.map(\.rawValue).joined(separator: ", ")
        return Self(
            name: words, expected: "one of " + words, parse: { Value(rawValue: $0) }, format: { $0.rawValue })
    }
}
