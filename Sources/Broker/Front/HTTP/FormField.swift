import BrokerCore

/// Fields of a query or of a form (`application/x-www-form-urlencoded`), as bytes: a value may be no UTF-8.
enum FormField {
    /// The value of the first field of that name.
    static func first(_ name: String, in text: some Collection<UInt8>) -> [UInt8]? {
        let name = Array(name.utf8)
        var rest = text[...]
        while !rest.isEmpty {
            let field = rest.prefix { $0 != UInt8(ascii: "&") }
            rest = rest[field.endIndex...].dropFirst()
            let key = field.prefix { $0 != UInt8(ascii: "=") }
            // As it is or with escapes, which take three bytes each; there may be very many others.
            guard (name.count...3 * name.count).contains(key.count), decode(key, plusIsSpace: true) == name else {
                continue
            }
            return decode(field[key.endIndex...].dropFirst(), plusIsSpace: true)
        }
        return nil
    }

    /// Replaces percent escapes; one that is malformed stays as it is.
    static func decode(_ text: some Collection<UInt8>, plusIsSpace: Bool) -> [UInt8] {
        let text = Array(text)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: "%"), index + 2 < text.count,
                let high = text[index + 1].hexDigit, let low = text[index + 2].hexDigit
            {
                bytes.append(high << 4 | low)
                index += 3
            } else {
                bytes.append(byte == UInt8(ascii: "+") && plusIsSpace ? UInt8(ascii: " ") : byte)
                index += 1
            }
        }
        return bytes
    }
}
