/// The names of an object's members, for texts in which none may occur twice.
package enum JSONNames {
    /// All of them, in order; inside of the values nothing is looked at. Throws for a text that is no object, or deeper than a
    /// batch may be.
    package static func all(in text: RawSpan) throws(EnvelopeError) -> [String] {
        var names: [JSONSlice] = []
        try EnvelopeScanner().withCursor(over: text) { (cursor) throws(EnvelopeError) in
            guard try cursor.nextToken() == UInt8(ascii: "{") else {
                throw .notJSON(.nameExpected, offset: cursor.index)
            }
            repeat {
                cursor.index += 1
                let first = try cursor.nextToken()
                if names.isEmpty, first == UInt8(ascii: "}") { return }
                let (name, valueStart) = try cursor.scanName(first)
                names.append(name)
                _ = try cursor.scanValue(valueStart, openBrackets: 1)
            } while try cursor.nextToken() == UInt8(ascii: ",")
        }
        return names.compactMap { $0.string(in: text) }
    }

    /// The first name that comes a second time in an object, if there is one. Throws as `all` does.
    package static func repeated(in text: RawSpan) throws(EnvelopeError) -> String? {
        repeated(among: try all(in: text))
    }

    /// The first name that comes a second time, if there is one.
    package static func repeated(among names: [String]) -> String? {
        // As bytes: to compare texts takes more than linear time.
        var seen: Set<[UInt8]> = []
        return names.first { !seen.insert(Array($0.utf8)).inserted }
    }
}
