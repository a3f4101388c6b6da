import BrokerCore

/// The function that an answer to callback-polling calls, as the client has named it.
///
/// The name becomes part of a script that runs in the page, so it is nothing but identifiers with dots between them.
struct JSONPCallback: Equatable {
    /// The name when the client gives none.
    static let defaultName = "jsonpcallback"
    /// Names of real clients have 10 to 40 bytes.
    static let maximumBytes = 128

    let name: String

    /// Nil when the parameter is no such name; without one, or with an empty one, it is the default.
    init?(parameter: String?) {
        let name = parameter.flatMap { $0.isEmpty ? nil : $0 } ?? Self.defaultName
        guard name.utf8.count <= Self.maximumBytes else { return nil }
        let identifiers = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard identifiers.allSatisfy(Self.isIdentifier) else { return nil }
        self.name = name
    }

    private static func isIdentifier(_ text: Substring.UTF8View) -> Bool {
        guard let first = text.first, !first.isDecimalDigit else { return false }
        return text.allSatisfy {
            $0.isDecimalDigit || isLetter($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "$")
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
    }

    /// The script that calls the function with `json`.
    ///
    /// The comment in front keeps the caller from choosing the first bytes of the answer, which some plug-ins took for a
    /// file of theirs. U+2028 and U+2029 end a line for older JavaScript, even within a string: they are escaped.
    func script(calling json: [UInt8]) -> [UInt8] {
        var script: [UInt8] = []
        script.reserveCapacity(json.count + name.utf8.count + 8)
        script += "/**/\(name)(".utf8
        var rest = json[...]
        while let mark = rest.firstIndex(of: 0xE2) {
            script += rest[..<mark]
            // U+2028 is E2 80 A8, U+2029 is E2 80 A9.
            let isSeparator = rest.count - (mark - rest.startIndex) >= 3 && rest[mark + 1] == 0x80
            switch isSeparator ? rest[mark + 2] : 0 {
            case 0xA8: script += #"\u2028"#.utf8
            case 0xA9: script += #"\u2029"#.utf8
            case _:
                script.append(0xE2)
                rest = rest[(mark + 1)...]
                continue
            }
            rest = rest[(mark + 3)...]
        }
        script += rest
        script += ");".utf8
        return script
    }
}
