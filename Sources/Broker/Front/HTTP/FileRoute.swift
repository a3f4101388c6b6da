import NIOCore
import NIOHTTP1
import WebAssets

/// The files that browsers get: the client and its modules, the page for trying the broker out, and the dashboard
/// (`/dashboard`), which shows the administrator what `/admin` and `/metrics` tell.
extension HTTPRoutes {
    /// A page loads nothing from elsewhere, runs nothing that stands in its text, and is not framed (CSP level 3).
    private static let contentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        + "worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    /// Answers a request for a file; nil when there is none at the path.
    func file(_ head: HTTPRequestHead, path: Substring, from handler: HTTPHandler) -> HTTPResponse? {
        if WebAssets.pagePaths.contains(path), !services.configuration.servesPage { return nil }
        guard
            let (file, plainTag) = WebAssets.file(at: path).map({ ($0, $0.tag) })
                ?? MountedClient.file(at: path, endpoint: services.configuration.endpoint)
        else { return nil }
        if file.isDashboard, !mayHaveDashboard(head, handler) {
            return .problem(.forbidden, "\(path) is for the administrator")
        }
        if let response = services.unlessRead(head, path) { return response }
        let compressed = services.compressedFiles.body(of: file, for: head.headers)
        let tag = compressed == nil ? plainTag : CompressedFiles.tag(of: plainTag)
        var response: HTTPResponse
        if isKnown(tag, to: head) {
            response = HTTPResponse(.notModified)
        } else {
            response = HTTPResponse(.ok, type: file.type, compressed ?? ByteBuffer(bytes: file.bytes))
            if compressed != nil { response.headers.add(name: "Content-Encoding", value: "gzip") }
        }
        response.headers.add(name: "Vary", value: "Accept-Encoding")
        // It may be kept, and is asked for again each time: a new broker has a new client.
        response.headers.add(name: "Cache-Control", value: "no-cache")
        response.headers.add(name: "ETag", value: tag)
        response.headers.add(name: "Last-Modified", value: services.fileDate.text)
        response.headers.add(name: "X-Content-Type-Options", value: "nosniff")
        if file.isPage || file.isDashboard {
            response.headers.add(name: "Content-Security-Policy", value: Self.contentSecurityPolicy)
            response.headers.add(name: "Referrer-Policy", value: "no-referrer")
        }
        return response
    }

    /// A browser that goes to a page sends no token. So where tokens are taken everybody may have the dashboard, which says
    /// nothing by itself and asks for a token; else it is for whom `/admin` is.
    private func mayHaveDashboard(_ head: HTTPRequestHead, _ handler: HTTPHandler) -> Bool {
        services.access.takesTokens || services.access.isAdmin(head, handler)
    }

    /// Whether the client has the file already (RFC 9110 §13.1.2: the weak comparison). The date counts only for who has no
    /// tag (§13.2.2).
    private func isKnown(_ tag: String, to head: HTTPRequestHead) -> Bool {
        let known = head.headers[canonicalForm: "If-None-Match"]
        if known.isEmpty {
            return head.headers.first(name: "If-Modified-Since").map(services.fileDate.isKnown) ?? false
        }
        return known.contains { known in
            known == "*" || known == tag || known == "W/\(tag)"
        }
    }
}
