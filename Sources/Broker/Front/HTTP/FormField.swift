import BrokerCore

/// Fields of a query or of a form (`application/x-www-form-urlencoded`), as bytes: a value may be no UTF-8.
enum FormField {
    /// The value of the first field of that name.
    static func first(_ name: String, in text: some Collection<UInt8>) -> [UInt8]? {
        let name = Array(name.utf8)
        for field in text.split(separator: UInt8(ascii: "&")) {
            let parts = field.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            if decode(parts[0], plusIsSpace: true) == name {
                return parts.count > 1 ? decode(parts[1], plusIsSpace: true) : []
            }
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
