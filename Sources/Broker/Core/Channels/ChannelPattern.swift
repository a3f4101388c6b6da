/// What one subscribes to: a name, or a prefix with a wildcard as its last segment.
///
/// `/a/*` stands for every name one segment below `/a`, `/a/**` for every name below `/a` at any depth, and neither for
/// `/a` itself; `/*` and `/**` are the same from the root. Source: Bayeux 1.0 §2.2.1 (channel globbing).
package struct ChannelPattern: Hashable, Sendable, CustomStringConvertible {
    /// How much a pattern stands for, the most specific first.
    package enum Kind: UInt8, Sendable, Hashable {
        /// One name: no wildcard.
        case exact
        /// `prefix/*`: one more segment.
        case children
        /// `prefix/**`: one or more segments.
        case descendants
    }

    /// The whole pattern, wildcard included.
    package let text: String
    /// Which wildcard it ends in, if any.
    package let kind: Kind
    /// What the first segment says: `/meta/**` is meta, `/**` is ordinary.
    package let realm: ChannelRealm
    /// How many segments, the wildcard included: `/a/*` has two, `/**` one.
    package let segmentCount: Int

    /// Reads a pattern from bytes of UTF-8. No allocation up to 15 bytes, one above.
    package init(_ bytes: RawSpan, grammar: ChannelGrammar, maximumBytes: Int) throws(ChannelError) {
        self = try bytes.withUnsafeBytes { (buffer) throws(ChannelError) in
            let shape = try grammar.shape(of: buffer, maximumBytes: maximumBytes)
            return Self(text: String(decoding: buffer, as: UTF8.self), shape: shape)
        }
    }

    /// Reads a pattern from text, which is kept as it is.
    package init(_ text: String, grammar: ChannelGrammar, maximumBytes: Int) throws(ChannelError) {
        let shape = try text.utf8.span.bytes.withUnsafeBytes { (buffer) throws(ChannelError) in
            try grammar.shape(of: buffer, maximumBytes: maximumBytes)
        }
        self.init(text: text, shape: shape)
    }

    /// The pattern that stands for this one name.
    package init(_ name: ChannelName) {
        text = name.text
        kind = .exact
        realm = name.realm
        segmentCount = name.segmentCount
    }

    private init(text: String, shape: ChannelShape) {
        self.text = text
        self.kind = shape.kind
        self.realm = shape.realm
        self.segmentCount = shape.segmentCount
    }

    /// Whether this is `/meta`, below it, or a wildcard below it.
    package var isMeta: Bool { realm == .meta }

    /// Whether this is `/service`, below it, or a wildcard below it.
    package var isService: Bool { realm == .service }

    /// Whether clients may subscribe to it, and it may have a policy: it is neither `/meta` nor `/service`, nor below them.
    package var isForClients: Bool { !isMeta && !isService }

    /// How many bytes of `text` come before the wildcard; all of them when there is none.
    package var prefixByteCount: Int {
        switch kind {
        case .exact: text.utf8.count
        case .children: text.utf8.count - 1
        case .descendants: text.utf8.count - 2
        }
    }

    /// What every matching name begins with, for range queries: the name itself, or all before the wildcard with its
    /// slash (`/a/` for `/a/*` and `/a/**`, `/` for `/**`).
    package var prefix: String { String(text.utf8.prefix(prefixByteCount)) ?? text }

    /// Whether a publication to this name reaches a subscriber of this pattern. Linear in the prefix.
    package func matches(_ name: ChannelName) -> Bool {
        switch kind {
        case .exact: return text == name.text
        case .children where segmentCount != name.segmentCount: return false
        case .descendants where segmentCount > name.segmentCount: return false
        case .children, .descendants: return name.text.utf8.starts(with: text.utf8.prefix(prefixByteCount))
        }
    }

    /// Whether a channel or pattern lies within this one, wildcards counting as segments: `/a/**` holds `/a/b/*`.
    func holds(_ text: String) -> Bool {
        guard kind != .exact else { return text == self.text }
        guard text.utf8.starts(with: self.text.utf8.prefix(prefixByteCount)) else { return false }
        return kind == .descendants || !text.utf8.dropFirst(prefixByteCount).contains(UInt8(ascii: "/"))
    }

    package var description: String { text }

    package static func == (left: Self, right: Self) -> Bool { left.text == right.text }

    package func hash(into hasher: inout Hasher) { hasher.combine(text) }
}
