/// The WebSocket protocols that there have been in browsers, by the names that drivers report.
public enum WebSocketVersion: String, CaseIterable, Sendable {
    /// draft-hixie-thewebsocketprotocol-75: no challenge, text only.
    case hixie75 = "hixie-75"
    /// draft-hixie-thewebsocketprotocol-76: a challenge in the body, text only.
    case hixie76 = "hixie-76"
    /// draft-ietf-hybi-thewebsocketprotocol-07.
    case hybi07 = "hybi-07"
    /// draft-ietf-hybi-thewebsocketprotocol-08 to -12.
    case hybi08 = "hybi-08"
    /// RFC 6455.
    case hybi13 = "hybi-13"
}

/// Which protocol a handshake asks for; the one place that knows how they are told apart.
enum VersionSelection {
    /// `Upgrade: websocket` and `Connection: upgrade`, which all versions have in common.
    static func isWebSocket(_ request: borrowing RequestHead) -> Bool {
        request.headers.hasToken("Connection", "upgrade") && request.headers.hasToken("Upgrade", "websocket")
    }

    /// The version of a handshake, if it is one that is served.
    static func select(_ request: RequestHead) throws(ProtocolViolation) -> WebSocketVersion {
        guard isWebSocket(request) else { throw .notWebSocket }
        guard request.method == "GET" else { throw .methodNotAllowed }
        let version = requestedVersion(request.headers)
        switch version {
        case .hybi13: return .hybi13
        case .hixie75?, .hixie76?: throw .unsupportedDraft(version ?? .hixie75)
        case .hybi07?, .hybi08?, nil:
            throw .unsupportedVersion(request.headers.combined("Sec-WebSocket-Version") ?? "")
        }
    }

    private static func requestedVersion(_ headers: HeaderFields) -> WebSocketVersion? {
        let number = headers.combined("Sec-WebSocket-Version")
        if number != nil || headers.first("Sec-WebSocket-Key") != nil {
            return switch number {
            case "7": .hybi07
            case "8": .hybi08
            case "13": .hybi13
            default: nil
            }
        }
        let hasChallenge = headers.first("Sec-WebSocket-Key1") != nil || headers.first("Sec-WebSocket-Key2") != nil
        return hasChallenge ? .hixie76 : .hixie75
    }
}
