import BrokerCore
import Foundation
import Support
import Testing

/// Makes up JSON texts: valid ones, and such that are wrong in one or two places.
struct JSONMaker {
    var random: SeededGenerator

    mutating func value(depth: Int) -> String {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 5), using: &random) {
        case 0: return ["null", "true", "false"].randomElement(using: &random) ?? ""
        case 1, 2: return number()
        case 3, 4: return string()
        case 5, 6:
            return "[" + list { maker in maker.value(depth: depth - 1) } + space() + "]"
        default:
            // Names that occur twice are left out: what then counts is tested elsewhere.
            var index = 0
            return "{"
                + list { maker in
                    index += 1
                    let name = "\"\(index)" + maker.string().dropFirst()
                    return name + maker.space() + ":" + maker.space() + maker.value(depth: depth - 1)
                } + space() + "}"
        }
    }

    mutating func message() -> String {
        var parts: [String] = []
        let names = ["channel", "id", "data", "ext", "clientId", "subscription", "other"]
        for name in names where Bool.random(using: &random) {
            parts.append("\"\(name)\"" + space() + ":" + space() + value(depth: 3))
        }
        return "{" + parts.joined(separator: space() + ",") + space() + "}"
    }

    private mutating func list(_ item: (inout JSONMaker) -> String) -> String {
        var items: [String] = []
        for _ in 0..<Int.random(in: 0..<4, using: &random) { items.append(space() + item(&self)) }
        return items.joined(separator: ",")
    }

    mutating func space() -> String {
        ["", "", "", " ", "\n", "\t ", "\r\n"].randomElement(using: &random) ?? ""
    }

    private mutating func number() -> String {
        ["0", "-0", "7", "-13", "0.25", "1e3", "1E-2", "12.5e+1", "123456789", "-0.001", "1234567890123"]
            .randomElement(using: &random) ?? ""
    }

    private mutating func string() -> String {
        var string = "\""
        for _ in 0..<Int.random(in: 0..<12, using: &random) {
            string +=
                [
                    "a", "bc", "xyz01234", " ", "/", "{", "]", ",", "\u{E9}", "\u{20AC}", "\u{1F600}", #"\""#, #"\\"#,
                    #"\/"#, #"\n"#, #"\u0041"#, #"\u00e9"#, #"\uD83D\uDE00"#, #"\u001f"#,
                ].randomElement(using: &random) ?? ""
        }
        return string + "\""
    }

    /// Changes, removes, inserts or swaps some bytes of ASCII; what remains is UTF-8.
    mutating func mutate(_ text: String) -> String {
        var bytes = Array(text.utf8)
        let replacements = Array("{}[]\",:\\/ubtrfn0123456789-+.eE \n\t\u{1}\u{1F}xAF".utf8)
        for _ in 0..<Int.random(in: 1...2, using: &random) {
            // The first and the last byte stay, so that Foundation does not take the text for UTF-16 or UTF-32.
            guard bytes.count > 3 else { break }
            let index = Int.random(in: 1..<bytes.count - 1, using: &random)
            guard bytes[index] < 0x80 else { continue }
            let replacement = replacements.randomElement(using: &random) ?? 0x20
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[index] = replacement
            case 1: bytes.remove(at: index)
            case 2: bytes.insert(replacement, at: index)
            default:
                let other = Int.random(in: 1..<bytes.count - 1, using: &random)
                if bytes[other] < 0x80 { bytes.swapAt(index, other) }
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Foundation's parser as a second opinion. Where the two differ on purpose, the texts are left out, by `isException`:
/// - a surrogate without its partner: Foundation refuses it, we let it pass as the RFC's grammar does;
/// - a number that a double does not hold (`1e999`): Foundation refuses it, we pass numbers on as they are written;
/// - a comma before a closing bracket: Foundation lets it pass, against the RFC's grammar, we refuse it.
@Suite("Scanner against Foundation")
struct JSONDifferentialTests {
    /// How many times the usual 24,000 documents: FANFARE_DOCUMENTS_FACTOR=42 makes more than a million.
    private static let factor = ProcessInfo.processInfo.environment["FANFARE_DOCUMENTS_FACTOR"].flatMap(Int.init) ?? 1

    private func foundation(_ text: String) -> Any? {
        try? JSONSerialization.jsonObject(with: Data(text.utf8), options: [.fragmentsAllowed])
    }

    /// Whether the text may have what the two take differently. Told from the text alone, so as not to hide a fault.
    private func isException(_ text: String) -> Bool {
        let huge = text.range(of: #"[eE][+]?[0-9]{3}"#, options: .regularExpression) != nil
        let comma = text.range(of: #",[ \n\r\t]*[\]}]"#, options: .regularExpression) != nil
        return huge || comma || hasLoneSurrogate(text)
    }

    private func hasLoneSurrogate(_ text: String) -> Bool {
        var isAfterLead = false
        var rest = text[...]
        while let backslash = rest.firstIndex(of: "\\") {
            if isAfterLead, backslash != rest.startIndex { return true }
            let escape = rest[backslash...].prefix(6)
            let unit = escape.dropFirst().first == "u" ? UInt16(escape.dropFirst(2), radix: 16) ?? 0 : 0
            if UTF16.isTrailSurrogate(unit) != isAfterLead { return true }
            isAfterLead = UTF16.isLeadSurrogate(unit)
            rest = rest[backslash...].dropFirst(escape.dropFirst().first == "u" ? 6 : 2)
        }
        return isAfterLead
    }

    @Test("Valid batches are accepted, and their fields decode to the same", arguments: 0..<4)
    func valid(seed: Int) throws {
        var maker = JSONMaker(random: SeededGenerator(seed: UInt64(seed)))
        for _ in 0..<1000 * Self.factor {
            let text = "[" + maker.message() + maker.space() + "," + maker.message() + "]"
            let members = try #require(foundation(text) as? [[String: Any]], "\(text)")
            var batch: [Envelope] = []
            try EnvelopeScanner().scan(text.utf8.span.bytes, into: &batch)
            try #require(batch.count == members.count)
            for (envelope, member) in zip(batch, members) {
                let written = fields(of: envelope, in: text)
                #expect(Set(written.keys) == Set(member.keys).subtracting(["other"]))
                for (name, slice) in [
                    ("channel", envelope.channel), ("id", envelope.id), ("data", envelope.data), ("ext", envelope.ext),
                    ("clientId", envelope.clientId), ("subscription", envelope.subscription),
                ] {
                    compare(slice, member[name], in: text.utf8.span.bytes)
                }
            }
        }
    }

    /// Reads a slice to its leaves by the means of the broker, beside the same value as Foundation read it.
    private func compare(_ slice: JSONSlice, _ value: Any?, in text: RawSpan) {
        let string = slice.string(in: text)
        let double = slice.double(in: text)
        switch slice.kind {
        case .absent: #expect(value == nil)
        case .null: #expect(value is NSNull)
        case .bool(let bool): #expect(value as? Bool == bool)
        case .number: #expect(double == (value as? NSNumber)?.doubleValue)
        case .string, .escapedString: #expect(string == value as? String)
        case .array:
            var elements = slice.elements
            let values = value as? [Any] ?? []
            for value in values { compare(elements.next(in: text) ?? .absent, value, in: text) }
            let end = elements.next(in: text)
            #expect(end == nil)
        case .object:
            var members = slice.members
            var rest = value as? [String: Any] ?? [:]
            while let (name, value) = members.next(in: text) {
                compare(value, rest.removeValue(forKey: name.string(in: text) ?? ""), in: text)
            }
            #expect(rest.isEmpty)
        }
    }

    @Test("Mutated batches are accepted or refused alike", arguments: 10..<14)
    func mutated(seed: Int) {
        var maker = JSONMaker(random: SeededGenerator(seed: UInt64(seed)))
        var accepted = 0
        var refused = 0
        for _ in 0..<4000 * Self.factor {
            let text = maker.mutate("[" + maker.message() + "," + maker.value(depth: 2) + "]")
            if isException(text) { continue }
            var batch: [Envelope] = []
            let isAccepted = (try? EnvelopeScanner().scan(text.utf8.span.bytes, into: &batch)) != nil
            #expect(isAccepted == (foundation(text) != nil), "\(text.debugDescription)")
            if isAccepted { accepted += 1 } else { refused += 1 }
        }
        // Both kinds have to be there, or nothing was compared.
        #expect(accepted > 400 * Self.factor)
        #expect(refused > 400 * Self.factor)
    }
}
