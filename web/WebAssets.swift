/// The files that browsers get, compiled into the program.
package enum WebAssets {
    /// A file with its media type.
    package struct File: Sendable {
        package let type: String
        package let bytes: [UInt8]
        /// What tells its versions apart, quoted as an entity tag is (RFC 9110 §8.8.3): an FNV-1a hash of the bytes.
        package let tag: String

        fileprivate init(type: String, bytes: [UInt8]) {
            self.type = type
            self.bytes = bytes
            let hash = bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
            self.tag = "\"\(String(hash, radix: 16))\""
        }
    }

    /// The path of the page for trying the broker out.
    package static let page: Substring = "/"
    /// What is served only together with the page.
    package static let pagePaths: Set<Substring> = [page, "/page.css", "/page.js"]

    /// The file at a path; nil when there is none.
    package static func file(at path: Substring) -> File? { files[path] }

    private static let files: [Substring: File] = [
        page: File(type: "text/html; charset=utf-8", bytes: PackageResources.index_html),
        "/page.css": File(type: "text/css; charset=utf-8", bytes: PackageResources.page_css),
        "/page.js": script(PackageResources.page_js),
        "/fanfare.js": script(PackageResources.fanfare_js),
        "/fanfare-fallback.js": script(PackageResources.fanfare_fallback_js),
        "/fanfare-resume.js": script(PackageResources.fanfare_resume_js),
        "/fanfare-tabs.js": script(PackageResources.fanfare_tabs_js),
        "/fanfare-ticker.js": script(PackageResources.fanfare_ticker_js),
        "/fanfare-token.js": script(PackageResources.fanfare_token_js),
        "/fanfare.d.ts": File(type: "text/plain; charset=utf-8", bytes: PackageResources.fanfare_d_ts),
    ]

    /// A file of the administrator's dashboard; nil when it is none of them.
    package static func dashboard(at path: Substring) -> File? {
        switch path {
        case "/dashboard": File(type: "text/html; charset=utf-8", bytes: PackageResources.dashboard_html)
        case "/dashboard.css": File(type: "text/css; charset=utf-8", bytes: PackageResources.dashboard_css)
        case "/dashboard.js": script(PackageResources.dashboard_js)
        default: nil
        }
    }

    private static func script(_ bytes: [UInt8]) -> File {
        File(type: "text/javascript; charset=utf-8", bytes: bytes)
    }
}
