import NIOCore
import NIOHTTP1
import WebAssets

/// The files that browsers get: the client, its modules, and the page for trying the broker out.
extension HTTPRoutes {
    /// The page loads nothing from elsewhere, runs nothing that stands in its text, and is not framed (CSP level 3).
    private static let contentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        + "worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    /// Answers a request for a file; nil when there is none at the path.
    func file(_ head: HTTPRequestHead, path: Substring) -> HTTPResponse? {
        if WebAssets.pagePaths.contains(path), !services.configuration.servesPage { return nil }
        guard let file = WebAssets.file(at: path) else { return nil }
        if let response = services.unlessRead(head, path) { return response }
        var response =
            isKnown(file.tag, to: head)
            ? HTTPResponse(.notModified) : HTTPResponse(.ok, type: file.type, ByteBuffer(bytes: file.bytes))
        // It may be kept, and is asked for again each time: a new broker has a new client.
        response.headers.add(name: "Cache-Control", value: "no-cache")
        response.headers.add(name: "ETag", value: file.tag)
        response.headers.add(name: "X-Content-Type-Options", value: "nosniff")
        if path == WebAssets.page {
            response.headers.add(name: "Content-Security-Policy", value: Self.contentSecurityPolicy)
            response.headers.add(name: "Referrer-Policy", value: "no-referrer")
        }
        return response
    }

    /// Whether the client has the file already (RFC 9110 §13.1.2: the weak comparison).
    private func isKnown(_ tag: String, to head: HTTPRequestHead) -> Bool {
        head.headers[canonicalForm: "If-None-Match"].contains { known in
            known == "*" || known == tag || known == "W/\(tag)"
        }
    }
}
