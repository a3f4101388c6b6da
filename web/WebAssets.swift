/// The files that browsers get, compiled into the program.
package enum WebAssets {
    /// A file with its media type.
    package struct File: Sendable {
        package let type: String
        package let bytes: [UInt8]
        /// What tells its versions apart, quoted as an entity tag is (RFC 9110 §8.8.3): an FNV-1a hash of the bytes.
        package let tag: String
        /// Whether it belongs to the administrator's dashboard.
        package let isDashboard: Bool
        /// Whether it is shown by itself, and may do what its policy says.
        package let isPage: Bool

        fileprivate init(type: String, bytes: [UInt8], isDashboard: Bool = false) {
            self.type = type
            self.bytes = bytes
            self.isDashboard = isDashboard
            isPage = type.hasPrefix("text/html")
            let hash = bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
            self.tag = "\"\(String(hash, radix: 16))\""
        }
    }

    /// What is served only together with the page for trying the broker out.
    package static let pagePaths: Set<Substring> = ["/", "/page.css", "/page.js"]

    /// All of them, in no order.
    package static var all: [File] { Array(files.values) }

    /// The file at a path; nil when there is none.
    package static func file(at path: Substring) -> File? { files[path] }

    private static let files: [Substring: File] = [
        "/": page(PackageResources.index_html),
        "/page.css": style(PackageResources.page_css),
        "/page.js": script(PackageResources.page_js),
        "/fanfare.js": script(PackageResources.fanfare_js),
        "/fanfare-fallback.js": script(PackageResources.fanfare_fallback_js),
        "/fanfare-resume.js": script(PackageResources.fanfare_resume_js),
        "/fanfare-tabs.js": script(PackageResources.fanfare_tabs_js),
        "/fanfare-ticker.js": script(PackageResources.fanfare_ticker_js),
        "/fanfare-token.js": script(PackageResources.fanfare_token_js),
        "/fanfare.d.ts": File(type: "text/plain; charset=utf-8", bytes: PackageResources.fanfare_d_ts),
        "/dashboard": page(PackageResources.dashboard_html, isDashboard: true),
        "/dashboard.css": style(PackageResources.dashboard_css, isDashboard: true),
        "/dashboard.js": script(PackageResources.dashboard_js, isDashboard: true),
    ]

    private static func page(_ bytes: [UInt8], isDashboard: Bool = false) -> File {
        File(type: "text/html; charset=utf-8", bytes: bytes, isDashboard: isDashboard)
    }

    private static func style(_ bytes: [UInt8], isDashboard: Bool = false) -> File {
        File(type: "text/css; charset=utf-8", bytes: bytes, isDashboard: isDashboard)
    }

    private static func script(_ bytes: [UInt8], isDashboard: Bool = false) -> File {
        File(type: "text/javascript; charset=utf-8", bytes: bytes, isDashboard: isDashboard)
    }
}
