// swift-tools-version: 6.2
import PackageDescription

// The store's folders are linked in, so that their package-level declarations can be reached.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "fanfare-store-benchmarks",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    ],
    targets: [
        .target(name: "BrokerCore", path: "Sources/BrokerCore", swiftSettings: settings),
        .target(
            name: "Migrations", path: "Sources/Migrations", exclude: ["README.md"],
            resources: [
                .embedInCode("0001_initial.sql"), .embedInCode("0002_history.sql"), .embedInCode("0003_log.sql"),
                .embedInCode("0004_replay.sql"), .embedInCode("0005_cleaning.sql"),
                .embedInCode("0006_aging.sql"),
                .embedInCode("0007_reserved.sql"),
            ], swiftSettings: settings),
        .target(
            name: "BrokerStore",
            dependencies: [
                "BrokerCore", "Migrations", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
                .product(name: "Metrics", package: "swift-metrics"),
            ], path: "Sources/BrokerStore", swiftSettings: settings),
        .executableTarget(
            name: "store-benchmark",
            dependencies: ["BrokerCore", "BrokerStore", .product(name: "GRDBSQLite", package: "GRDB.swift")],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
