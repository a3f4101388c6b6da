// swift-tools-version: 6.2
import PackageDescription

// A package of its own: its sanitizers must not touch the products. The folders under test are linked in, so that their
// package-level declarations can be reached; what is internal to the driver is tested as its unit tests do. It is built
// for release, which keeps the checks of bounds and overflow.
func settings(_ sanitizers: String) -> [SwiftSetting] {
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .unsafeFlags(["-sanitize=\(sanitizers)", "-enable-testing"]),
    ]
}
let fuzzed = settings("fuzzer,address")
let linker: [LinkerSetting] = [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]

func fuzzTarget(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: ["FuzzSupport"] + dependencies, swiftSettings: fuzzed, linkerSettings: linker)
}

func nio(_ name: String) -> Target.Dependency { .product(name: name, package: "swift-nio") }
let jwtKit = Target.Dependency.product(name: "JWTKit", package: "jwt-kit")

let package = Package(
    name: "fuzz",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        .systemLibrary(
            name: "CLibcrypto", path: "Sources/Driver/CLibcrypto", pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CZlib", path: "Sources/Driver/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(
            name: "Driver", dependencies: ["CLibcrypto", "CZlib"], path: "Sources/Driver",
            exclude: ["CLibcrypto", "CZlib"], swiftSettings: fuzzed),
        .target(name: "BrokerCore", path: "Sources/BrokerCore", swiftSettings: fuzzed),
        // A router with a store in memory, and with checks of what comes out of it.
        .target(name: "Support", dependencies: ["BrokerCore"], swiftSettings: settings("address")),
        // What the front reads without I/O.
        .target(name: "FrontParsers", dependencies: ["BrokerCore"], swiftSettings: fuzzed),
        // What reads keys of tokens, with the library that checks signatures.
        .target(name: "KeyParsers", dependencies: ["BrokerCore", jwtKit], swiftSettings: fuzzed),
        // A client's session, without what makes its connections.
        .target(
            name: "ClientSession", dependencies: ["BrokerCore", "Driver", nio("NIOCore")], swiftSettings: fuzzed),
        .target(name: "CLibFuzzer"),
        // Without coverage: what is reached in it is no news.
        .target(name: "FuzzSupport", dependencies: ["CLibFuzzer", "Driver"], swiftSettings: settings("address")),
        fuzzTarget("FuzzHead", ["Driver"]),
        fuzzTarget("FuzzFrames", ["Driver"]),
        fuzzTarget("FuzzExtensionHeader", ["Driver"]),
        fuzzTarget("FuzzInflate", ["Driver"]),
        fuzzTarget("FuzzHixie", ["Driver"]),
        fuzzTarget("FuzzDriver", ["Driver"]),
        fuzzTarget("FuzzEnvelope", ["BrokerCore"]),
        fuzzTarget("FuzzRouter", ["BrokerCore", "Support"]),
        fuzzTarget("FuzzProxyHeader", ["BrokerCore"]),
        fuzzTarget("FuzzProxyConnect", ["Driver"]),
        fuzzTarget("FuzzTarget", ["FrontParsers"]),
        fuzzTarget("FuzzFields", ["FrontParsers"]),
        fuzzTarget("FuzzToken", ["FrontParsers"]),
        fuzzTarget("FuzzKeySet", ["BrokerCore", "KeyParsers", jwtKit]),
        fuzzTarget("FuzzReplies", ["BrokerCore", "ClientSession", nio("NIOCore"), nio("NIOEmbedded")]),
        fuzzTarget("FuzzHeaders", ["Driver", "FrontParsers"]),
    ],
    swiftLanguageModes: [.v6]
)
