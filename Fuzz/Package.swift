// swift-tools-version: 6.2
import PackageDescription

// A package of its own: its sanitizers must not touch the products. The folders under test are linked in, so that their
// package-level declarations can be reached.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .unsafeFlags(["-sanitize=fuzzer,address"]),
]
let linker: [LinkerSetting] = [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]

func fuzzTarget(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: ["CLibFuzzer"] + dependencies, swiftSettings: settings, linkerSettings: linker)
}

let package = Package(
    name: "fuzz",
    platforms: [.macOS(.v26)],
    targets: [
        .systemLibrary(
            name: "CLibcrypto", path: "Sources/Driver/CLibcrypto", pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"])]),
        .target(
            name: "Driver", dependencies: ["CLibcrypto"], path: "Sources/Driver", exclude: ["CLibcrypto"],
            swiftSettings: settings),
        .target(name: "BrokerCore", path: "Sources/BrokerCore", swiftSettings: settings),
        .target(name: "CLibFuzzer"),
        fuzzTarget("FuzzServerDriver", ["Driver"]),
        fuzzTarget("FuzzEnvelope", ["BrokerCore"]),
    ],
    swiftLanguageModes: [.v6]
)
