/// The members of an object, in the order of the text; names that occur twice come twice.
///
/// ```swift
/// var members = envelope.ext.members
/// while let (name, value) = members.next(in: text) { … }
/// ```
/// All of them together cost one more pass over the object. Of anything but an object there are none.
package struct JSONMembers: Sendable {
    private var rest: JSONRest

    init(of slice: JSONSlice) { rest = JSONRest(of: slice, .object) }

    /// The next member, or nil at the end. The name is a string, perhaps with escapes.
    package mutating func next(in text: RawSpan) -> (name: JSONSlice, value: JSONSlice)? {
        rest.next(in: text) { (cursor, first) throws(EnvelopeError) in
            let (name, valueStart) = try cursor.scanName(first)
            return (name, try cursor.scanValue(valueStart, openBrackets: 0))
        }
    }
}

/// The elements of an array, in their order.
///
/// ```swift
/// var elements = envelope.subscription.elements
/// while let element = elements.next(in: text) { … }
/// ```
/// All of them together cost one more pass over the array. Of anything but an array there are none.
package struct JSONElements: Sendable {
    private var rest: JSONRest

    init(of slice: JSONSlice) { rest = JSONRest(of: slice, .array) }

    /// The next element, or nil at the end.
    package mutating func next(in text: RawSpan) -> JSONSlice? {
        rest.next(in: text) { (cursor, first) throws(EnvelopeError) in
            try cursor.scanValue(first, openBrackets: 0)
        }
    }
}

extension JSONSlice {
    /// The members of an object.
    package var members: JSONMembers { JSONMembers(of: self) }

    /// The elements of an array.
    package var elements: JSONElements { JSONElements(of: self) }
}

/// What has not been read yet of the inside of a container, which was scanned before.
private struct JSONRest: Sendable {
    private var range: Range<Int>

    init(of slice: JSONSlice, _ kind: JSONSlice.Kind) {
        range = slice.kind == kind && slice.count >= 2 ? slice.range.dropFirst().dropLast() : 0..<0
    }

    /// Reads one item with `scan`, which gets the cursor at the item's first byte, and that byte.
    mutating func next<Item>(
        in text: RawSpan, _ scan: (inout JSONCursor, UInt8) throws(EnvelopeError) -> Item
    ) -> Item? {
        guard !range.isEmpty else { return nil }
        let range = self.range
        self.range = 0..<0
        return text.withUnsafeBytes { bytes in
            guard var cursor = JSONCursor(bytes, range: range, maximumDepth: EnvelopeLimits.depthCeiling) else {
                return nil
            }
            // The text was checked before: an error here can only mean its end, or that it is another text.
            do throws(EnvelopeError) {
                var first = try cursor.nextToken()
                if first == UInt8(ascii: ",") {
                    cursor.index += 1
                    first = try cursor.nextToken()
                }
                let item = try scan(&cursor, first)
                self.range = cursor.index..<range.upperBound
                return item
            } catch {
                return nil
            }
        }
    }
}
