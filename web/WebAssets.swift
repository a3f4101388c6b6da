/// The files that browsers get, compiled into the program.
package enum WebAssets {
    /// The page for trying the broker out.
    package static var page: [UInt8] { PackageResources.index_html }
    /// The browser client.
    package static var client: [UInt8] { PackageResources.fanfare_js }
}
