/// The files that browsers get, compiled into the program.
package enum WebAssets {
    /// A file with its media type.
    package struct File: Sendable {
        package let type: String
        package let bytes: [UInt8]

        /// A file.
        package init(type: String, bytes: [UInt8]) {
            self.type = type
            self.bytes = bytes
        }
    }

    /// The path of the page for trying the broker out.
    package static let page: Substring = "/"

    /// The file at a path; nil when there is none.
    package static func file(at path: Substring) -> File? {
        switch path {
        case page: File(type: "text/html; charset=utf-8", bytes: PackageResources.index_html)
        case "/fanfare.js": script(PackageResources.fanfare_js)
        case "/fanfare-fallback.js": script(PackageResources.fanfare_fallback_js)
        case "/fanfare-tabs.js": script(PackageResources.fanfare_tabs_js)
        case "/fanfare-token.js": script(PackageResources.fanfare_token_js)
        case "/fanfare.d.ts": File(type: "text/plain; charset=utf-8", bytes: PackageResources.fanfare_d_ts)
        default: nil
        }
    }

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
