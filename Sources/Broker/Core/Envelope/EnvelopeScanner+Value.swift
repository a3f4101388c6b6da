extension EnvelopeScanner {
    /// Reads a text that is one JSON value of any kind, such as the body of a publication over HTTP. The bytes need not
    /// be UTF-8: that is checked, too. With `openBrackets` it is to stand within so many others, which count: two for
    /// what becomes the `data` of a message.
    package func scanValue(
        validatingUTF8 text: RawSpan, openBrackets: Int = 0
    ) throws(EnvelopeError) -> JSONSlice {
        try Self.validateUTF8(text)
        return try withCursor(over: text) { (cursor) throws(EnvelopeError) in
            let value = try cursor.scanValue(try cursor.nextToken(), openBrackets: openBrackets)
            try expectEnd(&cursor)
            return value
        }
    }
}
