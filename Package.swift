// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "fanfare",
    platforms: [.macOS(.v26)],
    products: [
        .library(name: "Driver", targets: ["Driver"]),
    ],
    targets: [
        // The WebSocket driver, without I/O.
        .systemLibrary(
            name: "CLibcrypto", path: "Sources/Driver/CLibcrypto", pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"])]),
        .target(
            name: "Driver", dependencies: ["CLibcrypto"], path: "Sources/Driver", exclude: ["CLibcrypto"],
            swiftSettings: settings),

        // The broker. Core knows nothing of ours.
        .target(name: "BrokerCore", path: "Sources/Broker/Core", swiftSettings: settings),
        // Examples that the documentation shows; the conformance suite runs them.
        .executableTarget(
            name: "echo-server", dependencies: ["Driver"], path: "Examples/EchoServer", swiftSettings: settings),
        .executableTarget(
            name: "echo-client", dependencies: ["Driver"], path: "Examples/EchoClient", swiftSettings: settings),

        .testTarget(name: "DriverTests", dependencies: ["Driver"], swiftSettings: settings),
        .testTarget(name: "BrokerCoreTests", dependencies: ["BrokerCore"], swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
