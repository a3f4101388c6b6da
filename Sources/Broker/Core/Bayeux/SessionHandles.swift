/// The places of sessions in the router's tables, by their client ids.
///
/// A client id is a secret, and what is looked up is whatever a stranger has sent. So ids are hashed with the key of the
/// process (SipHash), and compared as bytes, in a time that depends on their length alone. They are not compared as
/// texts: those are equal when they mean the same, and to find that out the standard library sorts their marks by
/// insertion, which of a message full of marks takes minutes.
struct SessionHandles {
    private struct Key: Hashable {
        let clientID: String

        static func == (left: Self, right: Self) -> Bool {
            left.clientID.utf8.span.bytes.holdsSameSecret(as: right.clientID.utf8.span.bytes)
        }

        func hash(into hasher: inout Hasher) {
            clientID.utf8.span.bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
        }
    }
    private var handles: [Key: SubscriptionTable.Subscriber] = [:]

    /// How many there are.
    var count: Int { handles.count }

    /// The place of the session with that id; nil if there is none.
    subscript(clientID: String) -> SubscriptionTable.Subscriber? {
        get { handles[Key(clientID: clientID)] }
        set { handles[Key(clientID: clientID)] = newValue }
    }
}
