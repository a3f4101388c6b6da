/// Reads `Sec-WebSocket-Extensions` from left to right, one byte ahead and never back.
///
///     header    = extension *( OWS "," OWS extension )
///     extension = token *( OWS ";" OWS parameter )
///     parameter = token [ "=" ( token / quoted-string ) ]
struct ExtensionHeaderParser<Bytes: Collection<UInt8>> {
    private let bytes: Bytes
    private var index: Bytes.Index
    /// The byte at `index`, `nil` at the end.
    private var next: UInt8?
    private var byteCount = 0

    init(_ bytes: Bytes) {
        self.bytes = bytes
        index = bytes.startIndex
        next = bytes.first
    }

    /// All elements, or `nil` if the value is malformed.
    mutating func parse() -> [ExtensionOffer]? {
        skipBlanks()
        guard next != nil else { return [] }
        var offers: [ExtensionOffer] = []
        repeat {
            skipBlanks()
            guard let offer = readOffer() else { return nil }
            offers.append(offer)
        } while accept(UInt8(ascii: ","))
        return next == nil && byteCount <= ExtensionHeader.maximumBytes ? offers : nil
    }

    private mutating func readOffer() -> ExtensionOffer? {
        guard let name = readToken() else { return nil }
        var offer = ExtensionOffer(name: name)
        skipBlanks()
        while accept(UInt8(ascii: ";")) {
            skipBlanks()
            guard let name = readToken() else { return nil }
            var value = ExtensionValue.flag
            if accept(UInt8(ascii: "=")) {
                guard let text = next == UInt8(ascii: "\"") ? readQuoted() : readToken() else { return nil }
                value = ExtensionValue(reading: text)
            }
            offer.parameters.append(name, value)
            skipBlanks()
        }
        return offer
    }

    private mutating func readToken() -> String? {
        var token: [UInt8] = []
        while let byte = next, ASCII.isTokenByte(byte) {
            token.append(byte)
            advance()
        }
        return token.isEmpty ? nil : String(decoding: token, as: UTF8.self)
    }

    /// A quoted string without its quotes and escapes; the opening quote is next.
    private mutating func readQuoted() -> String? {
        advance()
        var text: [UInt8] = []
        while let byte = next, byte == 0x09 || 0x20...0x7E ~= byte {
            advance()
            if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            guard let escaped = next, escaped == 0x09 || 0x20...0x7E ~= escaped else { return nil }
            text.append(escaped)
            advance()
        }
        return nil
    }

    private mutating func skipBlanks() {
        while let byte = next, ASCII.isBlank(byte) { advance() }
    }

    private mutating func accept(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        advance()
        return true
    }

    /// At the bound the input ends, and the value is malformed.
    private mutating func advance() {
        bytes.formIndex(after: &index)
        byteCount += 1
        next = index == bytes.endIndex || byteCount > ExtensionHeader.maximumBytes ? nil : bytes[index]
    }
}
