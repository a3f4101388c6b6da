/// An error of a Bayeux reply, printed as `code:arg1,arg2:text` (Bayeux 1.0 §7.8; texts as Faye has them).
///
/// docs/errors.md says of each what causes it, what it changes, and whether the client may try again; a test sees to it that
/// none is missing there.
package struct BayeuxError: Error, Equatable, Sendable {
    /// What the broker itself has to know of an error, whatever its text says.
    package enum Reason: Equatable, Sendable {
        /// A session is meant that the broker does not have.
        case unknownClient
        /// Somebody may not do that with a channel.
        case denied(AccessVerb)
        /// What was shown to say who it is does not count.
        case credentials(AuthFailure)
    }
    package let code: Int
    package let arguments: [String]
    package let text: String
    /// What it is about, if that matters to the broker.
    package let reason: Reason?
    /// What is wrong with the store, if that is the cause.
    package let storeFailure: StoreError.Kind?
    /// After how many seconds the client may try again, if that is known.
    package let retryAfter: Int?

    /// An error.
    package init(
        code: Int, arguments: [String], text: String, reason: Reason? = nil, storeFailure: StoreError.Kind? = nil,
        retryAfter: Int? = nil
    ) {
        self.reason = reason
        self.retryAfter = retryAfter
        self.storeFailure = storeFailure
        self.code = code
        self.arguments = arguments
        self.text = text
    }

    /// As it goes over the wire.
    package var wire: String { "\(code):\(arguments.joined(separator: ",")):\(text)" }

    static func connectionTypes(_ types: [String]) -> Self {
        Self(code: 301, arguments: types, text: "Connection types not supported")
    }
    static func unknownClient(_ clientID: String) -> Self {
        Self(code: 401, arguments: [clientID], text: "Unknown client", reason: .unknownClient)
    }
    /// Whether a session is meant that the broker does not have.
    package var isUnknownClient: Bool { reason == .unknownClient }
    /// A token that is not taken; the text says why. Another try makes sense when its key may come.
    package static func token(_ text: String, retryAfter: Int? = nil) -> Self {
        credentials(.token, text, retryAfter: retryAfter)
    }
    package static let tokenExpired = credentials(.expired, "Token expired")
    static let otherSession = credentials(.session, "The session is somebody else's")
    package static let ticket = credentials(.ticket, "Ticket refused: used, expired or unknown")
    package static let tokenRevoked = credentials(.revoked, "Token revoked")
    private static func credentials(_ failure: AuthFailure, _ text: String, retryAfter: Int? = nil) -> Self {
        Self(code: 401, arguments: [], text: text, reason: .credentials(failure), retryAfter: retryAfter)
    }
    /// Somebody who may not do that with a channel. `code` is 401 where a token would do and none came, over HTTP.
    static func denied(_ verb: AccessVerb, _ channel: String, code: Int = 403) -> Self {
        let text =
            switch verb {
            case .publish: "Publishing denied"
            case .subscribe: "Subscription denied"
            }
        return Self(code: code, arguments: [channel], text: text, reason: .denied(verb))
    }
    static func missing(_ parameter: String) -> Self {
        Self(code: 402, arguments: [parameter], text: "Missing required parameter")
    }
    static func forbidden(_ channel: String) -> Self {
        Self(code: 403, arguments: [channel], text: "Forbidden channel")
    }
    static func invalidChannel(_ channel: String?) -> Self {
        Self(code: 405, arguments: channel.map { [$0] } ?? [], text: "Invalid channel")
    }
    static func publishFailed(_ channel: String, _ error: StoreError? = nil) -> Self {
        Self(
            code: 407, arguments: [channel], text: "Failed to publish" + (error.map { ": \($0.reason)" } ?? ""),
            storeFailure: error?.kind)
    }
    /// A publication with more bytes of data than its channel takes.
    static func tooLarge(_ channel: String, limit: Int) -> Self {
        Self(code: 413, arguments: [channel, "\(limit)"], text: "Message too large")
    }
    /// A publication over plain HTTP with the key of another one.
    static let keyOfOtherData = Self(code: 422, arguments: [], text: "The Idempotency-Key stands for other data")
    static func endedByAdministrator(_ clientID: String) -> Self {
        Self(code: 410, arguments: [clientID], text: "Ended by the administrator")
    }
    /// The store could not do what a message asked for.
    static func storeFailed(_ error: StoreError) -> Self {
        Self(code: 500, arguments: [], text: "The store failed: \(error.reason)", storeFailure: error.kind)
    }
    static func tooMany(_ what: String) -> Self {
        Self(code: 429, arguments: [what], text: "Limit reached")
    }
    /// Something is done too often; the second argument says after how many seconds it may be tried again.
    static func tooFast(_ limit: RateLimits.Limit, retryAfter: Int) -> Self {
        Self(
            code: 429, arguments: [limit.rawValue, "\(retryAfter)"], text: "Rate limit reached", retryAfter: retryAfter)
    }
    /// Something on this side failed: the store, or a service.
    package static func internalError() -> Self {
        Self(code: 500, arguments: [], text: "Internal server error")
    }
}
