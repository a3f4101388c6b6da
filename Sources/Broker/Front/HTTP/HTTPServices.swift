import BrokerCore
import NIOCore
import NIOHTTP1
import WebAssets

/// What the HTTP side of every connection shares.
struct HTTPServices: Sendable {
    let origins: OriginPolicy
    let configuration: BrokerConfiguration

    init(configuration: BrokerConfiguration) {
        self.configuration = configuration
        origins = OriginPolicy(
            allowed: configuration.allowedOrigins, allowsLoopback: configuration.isLoopbackOnly)
    }
}

/// A complete response.
struct HTTPResponse: Sendable {
    var status: HTTPResponseStatus
    var headers: HTTPHeaders
    var body: ByteBuffer

    init(_ status: HTTPResponseStatus, type: String? = nil, _ body: ByteBuffer = ByteBuffer()) {
        self.status = status
        self.headers = type.map { ["Content-Type": $0] } ?? [:]
        self.body = body
    }

    /// Plain text, one line.
    static func text(_ status: HTTPResponseStatus, _ text: String) -> Self {
        HTTPResponse(status, type: "text/plain; charset=utf-8", ByteBuffer(string: text + "\n"))
    }

    /// An error as problem details (RFC 9457): `detail` says what was wrong with this request.
    static func problem(_ status: HTTPResponseStatus, _ detail: String) -> Self {
        var body = Array(#"{"title":"#.utf8)
        body.append(jsonString: status.reasonPhrase)
        body += #","status":\#(status.code),"detail":"#.utf8
        body.append(jsonString: detail)
        body += "}\n".utf8
        return HTTPResponse(status, type: "application/problem+json", ByteBuffer(bytes: body))
    }

    /// JSON, not to be cached.
    static func json(_ status: HTTPResponseStatus, _ body: ByteBuffer) -> Self {
        var response = HTTPResponse(status, type: "application/json; charset=utf-8", body)
        response.headers.add(name: "Cache-Control", value: "no-cache, no-store")
        response.headers.add(name: "X-Content-Type-Options", value: "nosniff")
        return response
    }
}
