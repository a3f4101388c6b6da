/// One member of a Bayeux batch: where its fields lie in the text. `data` is never looked into.
///
/// A field that was not there is `absent`; of a field that was there twice, the last one counts, as in JavaScript.
/// Source: Bayeux 1.0 §3 (message field definitions).
package struct Envelope: Sendable, BitwiseCopyable {
    /// The member as a whole; its kind is `object` for a message.
    package var whole: JSONSlice = .absent
    package var channel: JSONSlice = .absent
    package var clientId: JSONSlice = .absent
    package var id: JSONSlice = .absent
    package var data: JSONSlice = .absent
    package var ext: JSONSlice = .absent
    package var subscription: JSONSlice = .absent
    package var version: JSONSlice = .absent
    package var minimumVersion: JSONSlice = .absent
    package var supportedConnectionTypes: JSONSlice = .absent
    package var connectionType: JSONSlice = .absent
    package var advice: JSONSlice = .absent
    package var successful: JSONSlice = .absent
    package var error: JSONSlice = .absent

    package init() {}

    /// Whether the member is an object; a member such as `1`, `"x"`, `null` or `[…]` is kept and has no fields.
    package var isObject: Bool { whole.kind == .object }

    /// Whether the member is `null`.
    package var isNull: Bool { whole.kind == .null }
}
