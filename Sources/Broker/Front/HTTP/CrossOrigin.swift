import NIOCore
import NIOHTTP1

/// What pages of other origins may do, and what browsers are told about it (Fetch standard, CORS protocol).
extension HTTPServices {
    /// Fields that pages may send, in lower case: those that the broker reads, and what browsers, tracing and clients of
    /// Bayeux add by themselves.
    private static let allowedFields: Set<String> = [
        "accept", "accept-language", "authorization", "baggage", "cache-control", "content-language", "content-type",
        "idempotency-key", "last-event-id", "pragma", "retain", "traceparent", "tracestate", "ttl", "x-requested-with",
    ]
    /// The answer to those who ask without naming any.
    private static let commonFields =
        "Accept, Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Pragma, Retain, TTL, X-Requested-With"

    /// Refuses what a page of an origin sends that is not let in.
    func refusal(of head: HTTPRequestHead) -> HTTPResponse? {
        let isOld = (head.version.major, head.version.minor) < (1, 1)
        if let refusal = refusal(ofHosts: head.headers["Host"], isOld: isOld) {
            return .problem(.init(statusCode: refusal.status), refusal.text)
        }
        let origin = head.headers.first(name: "Origin")
        if names.origins.allows(origin: origin, host: head.headers.first(name: "Host")) { return nil }
        return .problem(.forbidden, "Origin \(origin ?? "") is not allowed: see --allow-origin")
    }

    /// Why a request with these `Host` fields is not for this broker; nil when it is. One of HTTP/1.1 has one of them
    /// (RFC 9112 §3.2), one that is older may have none.
    func refusal(ofHosts fields: [String], isOld: Bool = false) -> (status: Int, text: String)? {
        guard fields.count == 1 || isOld && fields.isEmpty else { return (400, "A request has one Host field") }
        guard let hosts = names.hosts, let stranger = fields.first(where: { !hosts.allows($0) }) else { return nil }
        return (421, "\(stranger.isEmpty ? "An empty Host" : stranger) is no name of this machine: see allow-host")
    }

    /// Refuses what a page's script element asks for, without an `Origin`, when the page is not known to be let in.
    func refusal(ofScript head: HTTPRequestHead) -> HTTPResponse? {
        let page = head.headers.first(name: "Referer") ?? ""
        let site = head.headers.first(name: "Sec-Fetch-Site")
        let isAllowed =
            head.headers.contains(name: "Origin")
            || names.origins.allowsScript(of: page, fetchSite: site, host: head.headers.first(name: "Host"))
        if isAllowed { return nil }
        guard !page.isEmpty || site != nil else {
            return .problem(
                .forbidden, "Neither Referer nor Sec-Fetch-Site says which page asks: see --allow-origin")
        }
        let place = page.isEmpty ? "an origin that it hides" : page
        return .problem(.forbidden, "A page at \(place) is not allowed: see --allow-origin")
    }

    /// Lets pages of an allowed origin read the answer: that very origin, never `*`.
    func addOriginHeaders(to headers: inout HTTPHeaders, for request: HTTPHeaders) {
        // Also on an answer without the others: a cache must not give it to a page.
        headers.add(name: "Vary", value: "Origin")
        guard let origin = request.first(name: "Origin"),
            names.origins.allows(origin: origin, host: request.first(name: "Host"))
        else { return }
        headers.replaceOrAdd(name: "Access-Control-Allow-Origin", value: origin)
        headers.replaceOrAdd(name: "Access-Control-Allow-Credentials", value: "true")
    }

    /// The answer to a browser that asks whether a page may send its request, or to anybody who asks for the methods.
    func preflight(_ head: HTTPRequestHead, methods: String) -> HTTPResponse {
        var response = HTTPResponse(.ok)
        response.headers.add(name: "Allow", value: methods)
        response.headers.add(name: "Access-Control-Allow-Methods", value: methods)
        response.headers.add(name: "Access-Control-Allow-Headers", value: Self.allowedFields(of: head.headers))
        response.headers.add(name: "Access-Control-Max-Age", value: "86400")
        return response
    }

    /// Those of the fields that the page wants to send which it may.
    private static func allowedFields(of request: HTTPHeaders) -> String {
        let wanted = request[canonicalForm: "Access-Control-Request-Headers"]
        if wanted.isEmpty { return commonFields }
        return wanted.filter { allowedFields.contains($0.lowercased()) }.joined(separator: ", ")
    }
}
