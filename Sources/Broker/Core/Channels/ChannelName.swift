/// A valid channel name such as `/chat/room-1`: what one publishes to. Never a pattern.
///
/// Source: Bayeux 1.0 §2.2 (channel_name), with the alphabet of ``ChannelGrammar``. The text is ASCII, so two names are
/// equal exactly when their bytes are.
package struct ChannelName: Hashable, Sendable, CustomStringConvertible {
    /// The whole name with its leading slash.
    package let text: String
    /// What the first segment says; found once, here.
    package let realm: ChannelRealm
    /// How many segments: `/a/b` has two.
    package let segmentCount: Int

    /// Reads a name from bytes of UTF-8. No allocation up to 15 bytes, one above.
    package init(_ bytes: RawSpan, grammar: ChannelGrammar, maximumBytes: Int) throws(ChannelError) {
        self = try bytes.withUnsafeBytes { (buffer) throws(ChannelError) in
            let shape = try Self.shape(of: buffer, grammar: grammar, maximumBytes: maximumBytes)
            return Self(text: String(decoding: buffer, as: UTF8.self), shape: shape)
        }
    }

    /// Reads a name from text, which is kept as it is.
    package init(_ text: String, grammar: ChannelGrammar, maximumBytes: Int) throws(ChannelError) {
        let shape = try text.utf8.span.bytes.withUnsafeBytes { (buffer) throws(ChannelError) in
            try Self.shape(of: buffer, grammar: grammar, maximumBytes: maximumBytes)
        }
        self.init(text: text, shape: shape)
    }

    /// The one name that a pattern stands for; nil for one with a wildcard.
    package init?(_ pattern: ChannelPattern) {
        guard pattern.kind == .exact else { return nil }
        text = pattern.text
        realm = pattern.realm
        segmentCount = pattern.segmentCount
    }

    private init(text: String, shape: ChannelShape) {
        self.text = text
        self.realm = shape.realm
        self.segmentCount = shape.segmentCount
    }

    private static func shape(
        of bytes: UnsafeRawBufferPointer, grammar: ChannelGrammar, maximumBytes: Int
    ) throws(ChannelError) -> ChannelShape {
        let shape = try grammar.shape(of: bytes, maximumBytes: maximumBytes)
        guard shape.kind == .exact else { throw .wildcardInName(offset: shape.lastSegmentOffset) }
        return shape
    }

    /// Whether this is `/meta` or below it: spoken to the broker, never broadcast.
    package var isMeta: Bool { realm == .meta }

    /// Whether this is `/service` or below it: for the broker's own services, never broadcast.
    package var isService: Bool { realm == .service }

    package var description: String { text }

    package static func == (left: Self, right: Self) -> Bool { left.text == right.text }

    package func hash(into hasher: inout Hasher) { hasher.combine(text) }
}
