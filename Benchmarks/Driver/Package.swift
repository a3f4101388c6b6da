// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that neither the peers nor NIOWebSocket become dependencies of the products.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func nio(_ name: String) -> Target.Dependency { .product(name: name, package: "swift-nio") }

let package = Package(
    name: "fanfare-driver-benchmarks",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(name: "fanfare", path: "../.."),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        .systemLibrary(
            name: "CWslay", path: "Sources/CWslay", providers: [.apt(["libwslay-dev"])]),
        .target(name: "CAllocations"),
        .executableTarget(
            name: "driver-benchmark",
            dependencies: [
                .product(name: "Driver", package: "fanfare"), "CWslay", "CAllocations",
                nio("NIOCore"), nio("NIOEmbedded"), nio("NIOHTTP1"), nio("NIOWebSocket"),
            ],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
