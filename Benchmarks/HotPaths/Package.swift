// swift-tools-version: 6.2
import PackageDescription

// The folders of what is measured are linked in, so that their package-level declarations can be reached.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "fanfare-hot-paths",
    platforms: [.macOS(.v26)],
    targets: [
        .systemLibrary(name: "CLibcrypto", path: "Sources/Driver/CLibcrypto", pkgConfig: "libcrypto"),
        .systemLibrary(name: "CZlib", path: "Sources/Driver/CZlib", pkgConfig: "zlib"),
        .target(
            name: "Driver", dependencies: ["CLibcrypto", "CZlib"], path: "Sources/Driver",
            exclude: ["CLibcrypto", "CZlib"], swiftSettings: settings),
        .target(name: "BrokerCore", path: "Sources/BrokerCore", swiftSettings: settings),
        // What the front reads without I/O; internal to it, and tested as its unit tests do.
        .target(
            name: "FrontParsers", dependencies: ["BrokerCore"],
            swiftSettings: settings + [.unsafeFlags(["-enable-testing"])]),
        .target(name: "CAllocations"),
        .executableTarget(
            name: "hot-paths", dependencies: ["BrokerCore", "CAllocations", "Driver", "FrontParsers"],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
