import BrokerCore
import NIOCore
import NIOHTTP1

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

    /// Plain text, not to be cached.
    static func text(_ status: HTTPResponseStatus, _ text: String) -> Self {
        HTTPResponse(status, type: "text/plain; charset=utf-8", ByteBuffer(string: text)).fresh
    }

    /// An error as problem details (RFC 9457): `detail` says what was wrong with this request.
    /// `retryAfter` is the number of seconds after which another try makes sense.
    static func problem(_ status: HTTPResponseStatus, _ detail: String, retryAfter: Int? = nil) -> Self {
        var body = Array(#"{"title":"#.utf8)
        body.append(jsonString: status.reasonPhrase)
        body += #","status":\#(status.code),"detail":"#.utf8
        body.append(jsonString: detail)
        body += "}\n".utf8
        var response = HTTPResponse(status, type: "application/problem+json", ByteBuffer(bytes: body)).fresh
        if let retryAfter { response.headers.add(name: "Retry-After", value: "\(retryAfter)") }
        if status == .unauthorized { response.headers.add(name: "WWW-Authenticate", value: "Bearer") }
        return response
    }

    /// A problem with the method; `methods` are those that would do (RFC 9110 §15.5.6).
    static func methodNotAllowed(_ detail: String, allowed methods: String) -> Self {
        var response = problem(.methodNotAllowed, detail)
        response.headers.add(name: "Allow", value: methods)
        return response
    }

    /// JSON, not to be cached.
    static func json(_ status: HTTPResponseStatus, _ body: ByteBuffer) -> Self {
        HTTPResponse(status, type: "application/json; charset=utf-8", body).fresh
    }

    /// A script that a page includes, and nobody else opens by mistake; not to be cached.
    static func script(_ body: ByteBuffer) -> Self {
        var response = HTTPResponse(.ok, type: "text/javascript; charset=utf-8", body).fresh
        response.headers.add(name: "Content-Disposition", value: "attachment; filename=f.txt")
        return response
    }

    /// The same response, which is good once and is of the type that it says.
    var fresh: Self {
        var response = self
        response.headers.add(name: "Cache-Control", value: "no-cache, no-store")
        response.headers.add(name: "X-Content-Type-Options", value: "nosniff")
        return response
    }
}
