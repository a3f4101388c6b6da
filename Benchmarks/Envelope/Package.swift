// swift-tools-version: 6.2
import PackageDescription

// The scanner's folder is linked in, so that its package-level declarations can be reached.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "fanfare-envelope-benchmarks",
    platforms: [.macOS(.v26)],
    targets: [
        .target(name: "BrokerCore", path: "Sources/BrokerCore", swiftSettings: settings),
        .target(name: "CAllocations"),
        .executableTarget(
            name: "envelope-benchmark", dependencies: ["BrokerCore", "CAllocations"], swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
