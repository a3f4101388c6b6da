import NIOCore
import NIOHTTP1
import WebAssets

/// `/dashboard`: a page that shows the administrator what `/admin` and `/metrics` tell.
extension HTTPRoutes {
    /// The page has nothing inline, asks nobody but this broker, and is in no frame of another page.
    private static let contentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    /// One of its files; nil when the path is another one.
    ///
    /// A browser that goes to a page sends no token. So where tokens are taken everybody may have the page, which says
    /// nothing by itself and asks for a token; else it is for whom `/admin` is.
    func dashboard(_ head: HTTPRequestHead, path: Substring, from handler: HTTPHandler) -> HTTPResponse? {
        guard let file = WebAssets.dashboard(at: path) else { return nil }
        guard services.access.takesTokens || services.access.isAdmin(head, handler) else {
            return .problem(.forbidden, "\(path) is for the administrator")
        }
        if let response = services.unlessRead(head, path) { return response }
        var response = HTTPResponse(.ok, type: file.type, ByteBuffer(bytes: file.bytes))
        response.headers.add(name: "Cache-Control", value: "no-cache")
        response.headers.add(name: "Content-Security-Policy", value: Self.contentSecurityPolicy)
        response.headers.add(name: "Referrer-Policy", value: "no-referrer")
        response.headers.add(name: "X-Content-Type-Options", value: "nosniff")
        return response
    }
}
