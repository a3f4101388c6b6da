/// Why something came to nothing.
///
/// | kind | cause | may it be tried again? |
/// |---|---|---|
/// | `unreachable` | no connection came about, or it was lost for longer than is allowed | yes |
/// | `protocolFailure` | what answers is no broker, or a file of certificates or keys cannot be read | no |
/// | `denied` | the broker refuses access, or ended the session for good | with another token |
/// | `refused` | the broker refused one message: `code` says why | 407, 429 and 500: later; others: no |
/// | `closed` | the client was closed | no |
public struct ClientError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public struct Kind: Equatable, Hashable, Sendable {
        private let name: String
        /// No connection came about, or it was lost for too long.
        public static let unreachable = Self(name: "unreachable")
        /// What answers does not speak Bayeux.
        public static let protocolFailure = Self(name: "protocolFailure")
        /// The broker refuses access.
        public static let denied = Self(name: "denied")
        /// The broker refused a message.
        public static let refused = Self(name: "refused")
        /// The client was closed.
        public static let closed = Self(name: "closed")
    }

    /// What kind of failure it is.
    public let kind: Kind
    /// One line for people.
    public let description: String
    /// What the broker answered, in the form `code:arguments:text`, if it did.
    public let answer: String?

    /// The code of the broker's answer, such as 405.
    public var code: Int? { answer.flatMap { Int($0.prefix(3)) } }

    init(_ kind: Kind, _ description: String, answer: String? = nil) {
        self.kind = kind
        self.description = description
        self.answer = answer
    }

    static func refused(_ answer: String?) -> Self {
        let answer = answer ?? "no reason"
        return Self(.refused, "the broker answered \(answer)", answer: answer)
    }

    static let clientClosed = Self(.closed, "the client is closed")
}
