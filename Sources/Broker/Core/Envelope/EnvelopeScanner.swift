/// Reads a Bayeux batch in one pass: checks the whole text (RFC 8259), finds the fields of every message, and copies
/// and decodes nothing.
///
/// Either all of the text is JSON, of a batch within the limits, or an error is thrown and nothing is handed out. Stricter
/// than the RFC demands of a parser: no byte order mark, a limit on depth. As lax as it allows: surrogates without a
/// partner in escapes, names that occur twice, numbers of any size. Linear in the text, whatever is in it.
package struct EnvelopeScanner: Sendable {
    /// How the batch was written. The replies are an array in any case.
    package enum Form: Sendable, Equatable {
        /// An array, perhaps empty.
        case array
        /// One object with no array around it: a batch of one.
        case bareObject
    }

    /// What a batch may ask for.
    package let limits: EnvelopeLimits

    package init(limits: EnvelopeLimits = EnvelopeLimits()) { self.limits = limits }

    /// Reads a text that is known to be UTF-8, such as a WebSocket's text message.
    ///
    /// - Parameter batch: emptied, then filled in the order of the text; empty after an error. Its memory is kept, so
    ///   that scanning does not allocate once it has been large enough.
    @discardableResult
    package func scan(_ text: RawSpan, into batch: inout [Envelope]) throws(EnvelopeError) -> Form {
        batch.removeAll(keepingCapacity: true)
        do {
            return try withCursor(over: text) { (cursor) throws(EnvelopeError) in
                try scanBatch(&cursor, into: &batch)
            }
        } catch {
            batch.removeAll(keepingCapacity: true)
            throw error
        }
    }

    func withCursor<Result>(
        over text: RawSpan, _ body: (inout JSONCursor) throws(EnvelopeError) -> Result
    ) throws(EnvelopeError) -> Result {
        guard text.byteCount <= Int(UInt32.max) else { throw .tooLong(byteCount: text.byteCount) }
        return try text.withUnsafeBytes { (bytes) throws(EnvelopeError) in
            let range = 0..<bytes.count
            guard var cursor = JSONCursor(bytes, range: range, maximumDepth: limits.maximumDepth) else {
                throw .notJSON(.unexpectedEnd, offset: 0)
            }
            return try body(&cursor)
        }
    }

    /// As `scan(_:into:)`, for bytes that nobody has checked yet, such as an HTTP body.
    @discardableResult
    package func scan(validatingUTF8 text: RawSpan, into batch: inout [Envelope]) throws(EnvelopeError) -> Form {
        batch.removeAll(keepingCapacity: true)
        try Self.validateUTF8(text)
        return try scan(text, into: &batch)
    }

    static func validateUTF8(_ text: RawSpan) throws(EnvelopeError) {
        do throws(UTF8.ValidationError) {
            try text.withUnsafeBytes { (bytes) throws(UTF8.ValidationError) in
                _ = try UTF8Span(validating: bytes.assumingMemoryBound(to: UInt8.self).span)
            }
        } catch {
            throw .notJSON(.invalidUTF8, offset: error.byteOffsets.lowerBound)
        }
    }

    private func scanBatch(_ cursor: inout JSONCursor, into batch: inout [Envelope]) throws(EnvelopeError) -> Form {
        let form: Form
        switch try cursor.nextToken() {
        case UInt8(ascii: "["):
            form = .array
            try scanArray(&cursor, into: &batch)
        case UInt8(ascii: "{"):
            form = .bareObject
            batch.append(try scanMessage(&cursor, openBrackets: 0))
        case let first:
            let value = try cursor.scanValue(first, openBrackets: 0)
            try expectEnd(&cursor)
            throw .notAMessage(value.kind)
        }
        try expectEnd(&cursor)
        return form
    }

    func expectEnd(_ cursor: inout JSONCursor) throws(EnvelopeError) {
        cursor.skipSpace()
        guard cursor.index == cursor.end else { throw .notJSON(.trailingBytes, offset: cursor.index) }
    }

    private func scanArray(_ cursor: inout JSONCursor, into batch: inout [Envelope]) throws(EnvelopeError) {
        cursor.index += 1
        var first = try cursor.nextToken()
        if first == UInt8(ascii: "]") {
            cursor.index += 1
            return
        }
        while true {
            guard batch.count < limits.maximumMessages else {
                throw .tooManyMessages(maximum: limits.maximumMessages)
            }
            if first == UInt8(ascii: "{") {
                batch.append(try scanMessage(&cursor, openBrackets: 1))
            } else {
                var envelope = Envelope()
                envelope.whole = try cursor.scanValue(first, openBrackets: 1)
                batch.append(envelope)
            }
            let separator = try cursor.nextToken()
            guard separator == UInt8(ascii: ",") || separator == UInt8(ascii: "]") else {
                throw .notJSON(.commaOrEndExpected, offset: cursor.index)
            }
            cursor.index += 1
            if separator == UInt8(ascii: "]") { return }
            first = try cursor.nextToken()
        }
    }

    /// Reads one message; the cursor is at its opening bracket.
    private func scanMessage(_ cursor: inout JSONCursor, openBrackets: Int) throws(EnvelopeError) -> Envelope {
        var envelope = Envelope()
        let start = cursor.index
        cursor.index += 1
        var first = try cursor.nextToken()
        if first == UInt8(ascii: "}") {
            cursor.index += 1
        } else {
            while true {
                let (name, valueStart) = try cursor.scanName(first)
                let field = cursor.field(named: name)
                let value = try cursor.scanValue(valueStart, openBrackets: openBrackets + 1)
                if let field { envelope.set(field, to: value) }
                let separator = try cursor.nextToken()
                guard separator == UInt8(ascii: ",") || separator == UInt8(ascii: "}") else {
                    throw .notJSON(.commaOrEndExpected, offset: cursor.index)
                }
                cursor.index += 1
                if separator == UInt8(ascii: "}") { break }
                first = try cursor.nextToken()
            }
        }
        envelope.whole = cursor.slice(.object, from: start)
        return envelope
    }
}
