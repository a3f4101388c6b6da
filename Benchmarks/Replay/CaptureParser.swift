/// Reads and writes the lines of captures.
enum CaptureParser {
    static func line(_ text: String) throws(LineError) -> Capture.Line {
        if text.isEmpty || text.hasPrefix("#") || text == Capture.header { return .other }
        if text.hasPrefix(">") || text.hasPrefix("*") { return .expectation(text) }
        var words = Words(text)
        let keyword = try words.next("a keyword")
        let input: Capture.Input
        switch keyword {
        case "role": input = .role(try role(&words))
        case "option": input = .option(name: try words.next("an option's name"), value: words.rest())
        case "<": input = .peer(try words.bytes())
        case "!": input = .call(try call(&words))
        case "end": input = .end
        case "time":
            guard let time = UInt64(try words.next("nanoseconds")) else {
                throw LineError(description: "time takes nanoseconds")
            }
            input = .time(time)
        default: throw LineError(description: "\"\(keyword)\" is no keyword")
        }
        guard words.isAtEnd else { throw LineError(description: "there is more than \(keyword) takes") }
        return .input(input)
    }

    static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\r": quoted += "\\r"
            case "\n": quoted += "\\n"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: quoted += "\\x" + hex([UInt8(scalar.value)])
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private static func role(_ words: inout Words) throws(LineError) -> Capture.Role {
        switch try words.next("server or client") {
        case "server": return .server
        case "client": return .client(url: try words.next("a URL"))
        default: throw LineError(description: "a role is server or client URL")
        }
    }

    private static func call(_ words: inout Words) throws(LineError) -> Capture.Call {
        let name = try words.next("a call")
        switch name {
        case "start": return .start
        case "text": return .text(try words.text())
        case "binary": return .binary(try words.bytes())
        case "ping": return .ping(try words.bytes())
        case "pong": return .pong(try words.bytes())
        case "header": return .header(try words.next("a name"), try words.text())
        case "close", "refuse":
            guard let code = UInt16(try words.next("a number")) else {
                throw LineError(description: "\(name) takes a number")
            }
            let reason = words.isAtEnd ? "" : try words.text()
            return name == "close" ? .close(code, reason) : .refuse(Int(code), reason)
        default: throw LineError(description: "\"\(name)\" is no call")
        }
    }
}

/// The parts of a line.
private struct Words {
    private var remaining: Substring

    init(_ line: String) {
        remaining = line[...]
    }

    var isAtEnd: Bool { remaining.allSatisfy { $0 == " " } }

    mutating func next(_ what: String) throws(LineError) -> String {
        remaining = remaining.drop { $0 == " " }
        let word = remaining.prefix { $0 != " " }
        guard !word.isEmpty else { throw LineError(description: "\(what) is missing") }
        remaining = remaining[word.endIndex...]
        return String(word)
    }

    mutating func rest() -> String {
        defer { remaining = "" }
        return String(remaining.drop { $0 == " " })
    }

    /// Hexadecimal digits, or a text in quotes; nothing at all is no bytes.
    mutating func bytes() throws(LineError) -> [UInt8] {
        remaining = remaining.drop { $0 == " " }
        if remaining.hasPrefix("\"") { return try quotedBytes() }
        let digits = Array(rest().utf8)
        guard digits.count % 2 == 0 else { throw LineError(description: "an odd number of hexadecimal digits") }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            bytes.append(try Self.byte(digits[index...index + 1]))
        }
        return bytes
    }

    mutating func text() throws(LineError) -> String {
        remaining = remaining.drop { $0 == " " }
        guard remaining.hasPrefix("\"") else { throw LineError(description: "a text in quotes is missing") }
        guard let text = String(validating: try quotedBytes(), as: UTF8.self) else {
            throw LineError(description: "the text is not UTF-8")
        }
        return text
    }

    private mutating func quotedBytes() throws(LineError) -> [UInt8] {
        var rest = Array(remaining.dropFirst().utf8)[...]
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""):
                remaining = Substring(String(decoding: rest, as: UTF8.self))
                return bytes
            case UInt8(ascii: "\\"):
                bytes.append(try Self.escape(&rest))
            default:
                bytes.append(byte)
            }
        }
        throw LineError(description: "the quotes are not closed")
    }

    private static func escape(_ rest: inout ArraySlice<UInt8>) throws(LineError) -> UInt8 {
        switch rest.popFirst() {
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "\""): return UInt8(ascii: "\"")
        case UInt8(ascii: "\\"): return UInt8(ascii: "\\")
        case UInt8(ascii: "x"):
            let byte = try byte(rest.prefix(2))
            rest = rest.dropFirst(2)
            return byte
        default: throw LineError(description: "an escape is one of \\r \\n \\\" \\\\ \\xHH")
        }
    }

    private static func byte(_ digits: ArraySlice<UInt8>) throws(LineError) -> UInt8 {
        guard digits.count == 2, digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
            let byte = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw LineError(description: "two hexadecimal digits are expected") }
        return byte
    }
}
