/// What is asked of a text that a stranger has sent before it is looked up, or compared with others.
///
/// Texts are equal when they mean the same, however their marks stand. To find that out, and to hash a text, the standard
/// library puts the marks behind each letter in order, by insertion: a few thousand of them take milliseconds, a million
/// takes minutes, and each time again.
extension String {
    /// Whether it is ASCII, which has no marks. Linear.
    package var isPlain: Bool { utf8.allSatisfy { $0 < 0x80 } }

    /// Whether more than 30 marks follow one another somewhere, which is Unicode's own bound for texts that are streamed,
    /// and more than any language has (UAX #15 §13, Stream-Safe Text Format). Linear.
    package var hasTooManyMarks: Bool {
        if isPlain { return false }
        var count = 0
        for scalar in unicodeScalars {
            // Whatever is put in order is of these, and so is what stands for more than one of it.
            switch scalar.properties.generalCategory {
            case .nonspacingMark, .spacingMark, .enclosingMark: count += 1
            case _: count = 0
            }
            if count > 30 { return true }
        }
        return false
    }

    /// Whether the other one is there and has the same bytes. So names in tokens are compared: "case-sensitive strings with
    /// no transformations or canonicalizations applied" (RFC 7519 §2, StringOrURI).
    package func isSame(as other: String?) -> Bool {
        guard let other else { return false }
        return utf8.elementsEqual(other.utf8)
    }
}
