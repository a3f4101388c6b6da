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

    /// Whether it is one of the hixie drafts: text only, and frames that are not RFC 6455's.
    public var isHixie: Bool { self == .hixie75 || self == .hixie76 }

    /// What `Sec-WebSocket-Version` says, `nil` for the hixie drafts, which do not have it.
    var number: Int? {
        switch self {
        case .hixie75, .hixie76: nil
        case .hybi07: 7
        case .hybi08: 8
        case .hybi13: 13
        }
    }
}

/// Made once, for it is in the options of every driver.
private let allVersions = Set(WebSocketVersion.allCases)

extension Set<WebSocketVersion> {
    /// Every version.
    public static var all: Self { allVersions }

    /// RFC 6455 only: none of the drafts.
    public static var modern: Self { [.hybi13] }

    /// Their numbers for `Sec-WebSocket-Version`, the newest first; `nil` if there are none.
    var numbers: String? {
        let numbers = compactMap(\.number).sorted(by: >)
        return numbers.isEmpty ? nil : numbers.map(String.init).joined(separator: ", ")
    }
}

/// Which protocol a handshake asks for; the one place that knows how they are told apart.
enum VersionSelection {
    /// `Upgrade: websocket` and `Connection: upgrade`, which all versions have in common.
    static func isWebSocket(_ request: borrowing RequestHead) -> Bool {
        request.headers.hasToken("Connection", "upgrade") && request.headers.hasToken("Upgrade", "websocket")
    }

    /// The version of a handshake, if it is one of those that are served.
    static func select(
        _ request: RequestHead, from served: Set<WebSocketVersion>
    ) throws(ProtocolViolation) -> WebSocketVersion {
        guard isWebSocket(request) else { throw .notWebSocket }
        guard request.method == "GET" else { throw .methodNotAllowed }
        let version = requestedVersion(request.headers)
        guard !hasBody(request.headers, version) else { throw .handshakeWithBody }
        if let version, served.contains(version) { return version }
        if let version, version.isHixie { throw .unsupportedDraft(version) }
        let number = request.headers.combined("Sec-WebSocket-Version") ?? ""
        throw .unsupportedVersion(number, canUpgrade: served.numbers != nil)
    }

    /// Whether bytes behind the head are a body to those who speak HTTP. To us they are frames: with a proxy between that
    /// takes them for something else, a page's body could become frames of somebody (RFC 9112 §11.2). Draft-hixie-76 has
    /// eight bytes there, which some proxies count.
    private static func hasBody(_ headers: HeaderFields, _ version: WebSocketVersion?) -> Bool {
        if headers.first("Transfer-Encoding") != nil { return true }
        return headers.all("Content-Length").contains { $0 != "0" && !(version == .hixie76 && $0 == "8") }
    }

    /// The version that a handshake asks for, `nil` if it is unknown.
    static func requestedVersion(_ headers: HeaderFields) -> WebSocketVersion? {
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
