/// What the peer did wrong: a value, reported through ``DriverSink/failed(_:)``, never thrown by `receive`.
public struct ProtocolViolation: Error, Hashable, Sendable {
    /// The code of the Close frame that the peer got, 1002 for a handshake; 1005 in hixie, which has no codes.
    public let closeCode: CloseCode
    /// What was wrong, in one line; also the reason in the Close frame, or the body of the HTTP answer.
    public let message: String
    /// The status of the HTTP answer when a server refused a handshake, else `nil`.
    public let httpStatus: Int?

    /// A violation with its close code, its text, and for a server's handshake the status of the answer.
    public init(closeCode: CloseCode, message: String, httpStatus: Int? = nil) {
        self.closeCode = closeCode
        self.message = message
        self.httpStatus = httpStatus
    }
}

/// The catalogue, frames first (RFC 6455 §5), each with the code that its section asks for.
extension ProtocolViolation {
    private static func protocolError(_ message: String) -> Self { Self(closeCode: .protocolError, message: message) }

    static func reservedBits(_ bits: UInt8) -> Self {
        let (first, second, third) = (bits >> 6 & 1, bits >> 5 & 1, bits >> 4 & 1)
        return protocolError(
            "One or more reserved bits are on: reserved1 = \(first), reserved2 = \(second), reserved3 = \(third)")
    }

    static func unknownOpcode(_ opcode: UInt8) -> Self { protocolError("Unrecognized frame opcode: \(opcode)") }

    static func fragmentedControlFrame(_ opcode: Opcode) -> Self {
        protocolError("Received fragmented control frame: opcode = \(opcode.rawValue)")
    }

    static func longControlFrame(_ payloadBytes: UInt64) -> Self {
        protocolError("Received control frame having too long payload: \(payloadBytes)")
    }

    static var unfinishedMessage: Self {
        protocolError("Received new data frame but previous continuous frame is unfinished")
    }

    static var unexpectedContinuation: Self { protocolError("Received unexpected continuation frame") }

    static var unmaskedFrame: Self {
        Self(closeCode: .unsupportedData, message: "Received unmasked frame but masking is required")
    }

    static var messageTooLong: Self { Self(closeCode: .messageTooBig, message: "WebSocket frame length too large") }

    static var invalidText: Self {
        Self(closeCode: .invalidPayload, message: "Could not decode a text frame as UTF-8")
    }
}

/// The handshake on the server's side.
extension ProtocolViolation {
    static func refusal(_ status: Int, _ message: String) -> Self {
        Self(closeCode: .protocolError, message: message, httpStatus: status)
    }

    static var invalidRequest: Self { refusal(400, "Invalid HTTP request") }
    static var unsupportedHTTPVersion: Self { refusal(505, "Unsupported HTTP version") }
    static var headTooLong: Self { refusal(431, "HTTP request head too long") }
    static var tooManyHeaders: Self { refusal(431, "Too many HTTP request headers") }
    static var prematureData: Self { refusal(400, "Too much data before the handshake was answered") }
    static var requestTimeout: Self { refusal(408, "Handshake request timed out") }
    static var answerTimeout: Self { refusal(503, "Handshake was not answered in time") }
    static var notWebSocket: Self { refusal(400, "Not a WebSocket request") }
    static var handshakeWithBody: Self { refusal(400, "A WebSocket handshake has no body") }
    static var methodNotAllowed: Self { refusal(405, "Not a WebSocket request") }

    static func missingHeader(_ name: String) -> Self { refusal(400, "Missing handshake request header: \(name)") }
    static func invalidHeader(_ name: String) -> Self { refusal(400, "Invalid handshake request header: \(name)") }

    /// An unknown hybi version gets 426 and the list of those that we speak (RFC 6455 §4.4), if there is any.
    static func unsupportedVersion(_ version: String, canUpgrade: Bool) -> Self {
        refusal(canUpgrade ? 426 : 400, "Unsupported WebSocket version: \(version)")
    }

    /// The hixie drafts have no way to ask for another version, so it is 400.
    static func unsupportedDraft(_ version: WebSocketVersion) -> Self {
        hixie("Unsupported WebSocket version: \(version.rawValue)", httpStatus: 400)
    }
}

/// The hixie drafts, which know no codes and no reasons.
extension ProtocolViolation {
    private static func hixie(_ message: String, httpStatus: Int? = nil) -> Self {
        Self(closeCode: .noStatus, message: message, httpStatus: httpStatus)
    }

    static func missingHixieHeader(_ name: String) -> Self {
        hixie("Missing required header: \(name)", httpStatus: 400)
    }

    static var invalidHixieKeys: Self { hixie("Client sent invalid Sec-WebSocket-Key headers", httpStatus: 400) }
    static var invalidHixieRequest: Self { hixie("Invalid HTTP request", httpStatus: 400) }

    // What follows happens when the 101 is out, so that there is no status.
    static var hixieBodyTimeout: Self { hixie("Handshake request timed out") }
    static var hixieAnswerUnavailable: Self { hixie("Cannot compute MD5") }
    static var hixieMessageTooLong: Self { hixie(messageTooLong.message) }
}

/// The handshake on the client's side.
extension ProtocolViolation {
    static func response(_ message: String) -> Self {
        protocolError("Error during WebSocket handshake: \(message)")
    }

    static var invalidResponse: Self { response("Invalid HTTP response") }
    static var responseTimeout: Self { response("timed out") }
}
