/// Why something came to nothing.
///
/// | kind | cause | may it be tried again? |
/// |---|---|---|
/// | `unreachable` | no connection came about, or it was lost for longer than is allowed | yes |
/// | `protocolFailure` | what answers is no broker, or a file of certificates or keys cannot be read | no |
/// | `denied` | the broker refuses access, or ended the session for good | with another token |
/// | `refused` | the broker refused one message: `code` says why | 407, 429 and 500: later; others: no |
/// | `unanswered` | the broker has not answered in `answerTimeout`; it may have taken the message | yes; may be done twice |
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
        /// The broker has not answered a message in time; it may have taken it.
        public static let unanswered = Self(name: "unanswered")
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

    static func unanswered(_ what: String, after time: Duration) -> Self {
        Self(.unanswered, "the broker has not answered \(what) within \(time)")
    }

    static let clientClosed = Self(.closed, "the client is closed")
}
