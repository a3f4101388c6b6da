// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func nio(_ name: String) -> Target.Dependency { .product(name: name, package: "swift-nio") }

let package = Package(
    name: "fanfare",
    platforms: [.macOS(.v26)],
    products: [
        .library(name: "Driver", targets: ["Driver"]),
        .library(name: "Broker", targets: ["Broker"]),
        .library(name: "FanfareClient", targets: ["FanfareClient"]),
        .executable(name: "broker-server", targets: ["broker-server"]),
        .executable(name: "broker-cli", targets: ["broker-cli"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    ],
    targets: [
        // The WebSocket driver, without I/O.
        .systemLibrary(
            name: "CLibcrypto", path: "Sources/Driver/CLibcrypto", pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CZlib", path: "Sources/Driver/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(
            name: "Driver", dependencies: ["CLibcrypto", "CZlib"], path: "Sources/Driver",
            exclude: ["CLibcrypto", "CZlib"], swiftSettings: settings),

        // The broker: Core knows nothing of ours, Store knows Core, Front knows Driver and Core.
        .target(name: "BrokerCore", path: "Sources/Broker/Core", swiftSettings: settings),
        .target(
            name: "BrokerStore",
            dependencies: [
                "BrokerCore", "Migrations", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            path: "Sources/Broker/Store", swiftSettings: settings),
        // What the errors of the TLS library mean, for clients of any protocol.
        .target(
            name: "TLSErrors", dependencies: [.product(name: "NIOSSL", package: "swift-nio-ssl")],
            path: "Sources/Broker/TLSErrors", swiftSettings: settings),
        .target(
            name: "BrokerFront",
            dependencies: [
                "BrokerCore", "Driver", "TLSErrors", "WebAssets",
                nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"), nio("NIOTLS"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Sources/Broker/Front", swiftSettings: settings),

        // The broker inside of another program.
        .target(
            name: "Broker",
            dependencies: [
                "BrokerCore", "BrokerFront", "BrokerStore", .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Broker/Embedding", swiftSettings: settings),

        // The Bayeux client. Of the core it uses the reading and writing of JSON, and the grammar of channels.
        .target(
            name: "FanfareClient",
            dependencies: [
                "Driver", "BrokerCore", "TLSErrors", nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Sources/FanfareClient", swiftSettings: settings),

        // Files that are compiled into the program, so that one binary suffices.
        .target(
            name: "Migrations", path: "migrations", exclude: ["README.md"],
            resources: [
                .embedInCode("0001_initial.sql"), .embedInCode("0002_history.sql"), .embedInCode("0003_log.sql"),
                .embedInCode("0004_replay.sql"), .embedInCode("0005_cleaning.sql"),
                .embedInCode("0006_aging.sql"),
                .embedInCode("0007_reserved.sql"),
            ], swiftSettings: settings),
        .target(
            name: "WebAssets", path: "web",
            resources: [
                .embedInCode("index.html"), .embedInCode("fanfare.js"), .embedInCode("fanfare-fallback.js"),
                .embedInCode("fanfare-resume.js"), .embedInCode("fanfare-tabs.js"), .embedInCode("fanfare-ticker.js"),
                .embedInCode("fanfare-token.js"), .embedInCode("fanfare.d.ts"), .embedInCode("page.css"),
                .embedInCode("page.js"), .embedInCode("dashboard.html"), .embedInCode("dashboard.css"),
                .embedInCode("dashboard.js"),
            ], swiftSettings: settings),

        .executableTarget(
            name: "broker-server",
            dependencies: [
                "BrokerCore", "BrokerFront", "BrokerStore",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                nio("NIOCore"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "broker-cli",
            dependencies: [
                "FanfareClient", "BrokerCore", "Driver", nio("NIOPosix"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: settings),

        // Examples that the documentation shows; the conformance suite runs them.
        .executableTarget(
            name: "echo-server", dependencies: ["Driver"], path: "Examples/EchoServer", swiftSettings: settings),
        .executableTarget(
            name: "echo-client", dependencies: ["Driver"], path: "Examples/EchoClient", swiftSettings: settings),

        // Plays recorded connections again.
        .executableTarget(
            name: "driver-replay", dependencies: ["Driver"], path: "Benchmarks/Replay", swiftSettings: settings),

        // What TLS costs at least: the broker is compared with it.
        .executableTarget(
            name: "tls-reference",
            dependencies: [nio("NIOCore"), nio("NIOPosix"), .product(name: "NIOSSL", package: "swift-nio-ssl")],
            path: "Benchmarks/Ratios/Reference", swiftSettings: settings),

        .executableTarget(
            name: "proxy-client", dependencies: ["Driver", nio("NIOCore"), nio("NIOPosix")],
            path: "Examples/ProxyClient", swiftSettings: settings),
        .executableTarget(
            name: "embedded-broker", dependencies: ["Broker"], path: "Examples/EmbeddedBroker", swiftSettings: settings),

        .executableTarget(
            name: "first-steps", dependencies: ["FanfareClient"], path: "Examples/FirstSteps", swiftSettings: settings),
        .executableTarget(
            name: "chat-client", dependencies: ["FanfareClient"], path: "Examples/ChatClient", swiftSettings: settings),
        .executableTarget(
            name: "client-guide", dependencies: ["FanfareClient"], path: "Examples/ClientGuide", swiftSettings: settings
        ),

        .target(name: "Support", dependencies: ["BrokerCore"], path: "Tests/Support", swiftSettings: settings),
        .testTarget(
            name: "DriverTests", dependencies: ["Driver", "driver-replay", "Support"], swiftSettings: settings),
        .testTarget(name: "BrokerCoreTests", dependencies: ["BrokerCore", "Support"], swiftSettings: settings),
        .testTarget(
            name: "BrokerStoreTests",
            dependencies: [
                "BrokerCore", "BrokerStore", "Migrations", "Support",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "BrokerFrontTests",
            dependencies: [
                "BrokerCore", "BrokerFront", "Driver", "Support", nio("NIOCore"), nio("NIOPosix"), nio("NIOEmbedded"),
                nio("NIOHTTP1"), nio("NIOTLS"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "EmbeddingTests",
            dependencies: ["Broker", "Support", .product(name: "Logging", package: "swift-log")],
            swiftSettings: settings),
        .testTarget(
            name: "FanfareClientTests",
            dependencies: [
                "BrokerCore", "Driver", "FanfareClient", "Support", nio("NIOCore"), nio("NIOEmbedded"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ProgramTests", dependencies: ["broker-server", "broker-cli", "Support"], swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
