import Crypto
import WebAssets

/// The browser client where clients of Faye look for one: `/bayeux.js` and `/bayeux/client.js`. What it loads lies beside
/// it there, too.
enum MountedClient {
    /// Faye's entity tag, which stands without quotes: the SHA-1 of the file in hexadecimal digits.
    private static let tag: String = {
        let bytes = WebAssets.file(at: client)?.bytes ?? []
        return Insecure.SHA1.hash(data: bytes).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count < 2 ? "0" + digits : digits
        }.joined()
    }()
    private static let client: Substring = "/fanfare.js"

    /// The file at a path below or beside the endpoint, and its entity tag; nil when there is none.
    static func file(at path: Substring, endpoint: String) -> (WebAssets.File, String)? {
        guard path.hasPrefix(endpoint) else { return nil }
        let rest = path.dropFirst(endpoint.count)
        switch rest {
        case ".js", "/client.js": return WebAssets.file(at: client).map { ($0, tag) }
        case _ where rest.hasPrefix("/fanfare") && rest.hasSuffix(".js"):
            return WebAssets.file(at: rest).map { ($0, $0.tag) }
        case _: return nil
        }
    }
}
