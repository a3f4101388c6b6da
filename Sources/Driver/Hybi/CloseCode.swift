/// Why a connection was closed (RFC 6455 §7.4 and the IANA registry); an open set.
public struct CloseCode: RawRepresentable, Hashable, Sendable {
    /// The number on the wire.
    public let rawValue: UInt16

    /// The code with this number, whether or not it may be sent.
    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// 1000: the purpose is fulfilled.
    public static let normal = Self(rawValue: 1000)
    /// 1001: the server shuts down, or the page is left.
    public static let goingAway = Self(rawValue: 1001)
    /// 1002: the peer broke the protocol.
    public static let protocolError = Self(rawValue: 1002)
    /// 1003: data of a kind that is not accepted.
    public static let unsupportedData = Self(rawValue: 1003)
    /// 1005: the Close frame had no code. Never sent.
    public static let noStatus = Self(rawValue: 1005)
    /// 1006: the stream ended without a Close frame. Never sent.
    public static let abnormal = Self(rawValue: 1006)
    /// 1007: a text was not UTF-8, or data did not fit their type.
    public static let invalidPayload = Self(rawValue: 1007)
    /// 1008: against the rules of this endpoint.
    public static let policyViolation = Self(rawValue: 1008)
    /// 1009: a message was too long.
    public static let messageTooBig = Self(rawValue: 1009)
    /// 1010: the client missed an extension. Sent by clients only.
    public static let mandatoryExtension = Self(rawValue: 1010)
    /// 1011: the server failed.
    public static let internalError = Self(rawValue: 1011)
    /// 1012: the server restarts.
    public static let serviceRestart = Self(rawValue: 1012)
    /// 1013: the server is overloaded.
    public static let tryAgainLater = Self(rawValue: 1013)
    /// 1014: a gateway got an invalid answer.
    public static let badGateway = Self(rawValue: 1014)

    /// Whether a Close frame may carry it: 1000–1003, 1007–1014, and 3000–4999 for libraries and applications.
    public var isAllowedOnWire: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}
