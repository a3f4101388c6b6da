/// The extension permessage-deflate (RFC 7692): each message compressed with zlib's raw deflate.
///
/// Stricter than others: a window of 256 bytes, which zlib cannot deflate with, is declined for our direction, and
/// what a message inflates to is bounded by the driver's `maximumMessageBytes`.
public struct PermessageDeflate: WebSocketExtension {
    /// `permessage-deflate`.
    public static let extensionName = "permessage-deflate"

    /// What an endpoint wants. "Own" is the direction that it sends.
    public struct Options: Hashable, Sendable {
        /// zlib's level, 0 (none) to 9 (best), or -1 for its default.
        public var level = -1
        /// zlib's memory level, 1 to 9; own contexts take about 2^(memoryLevel + 9) bytes for it.
        public var memoryLevel = 8
        /// zlib's strategy, 0 to 4.
        public var strategy = 0
        /// Whether each own message is compressed by itself, which costs compression and saves memory.
        public var noContextTakeover = false
        /// The largest own window, 9 to 15, as a power of two; `nil` for 15.
        public var maxWindowBits: Int?
        /// Whether to demand that the peer compresses each message by itself.
        public var requestNoContextTakeover = false
        /// The largest window that the peer may use, 8 to 15; `nil` for 15.
        public var requestMaxWindowBits: Int?
        /// Own messages with a shorter payload, in bytes, are sent uncompressed; 0 compresses all, also empty ones.
        public var minimumBytes = 0

        /// The defaults.
        public init() {}
    }

    /// An option that cannot be.
    public enum InvalidOption: Error, Hashable, Sendable, CustomStringConvertible {
        /// There is no option of that name.
        case unrecognized(String)
        /// The value has the wrong type or is out of range.
        case invalidValue(String)

        /// One line for people.
        public var description: String {
            switch self {
            case .unrecognized(let name): "Unrecognized option: \(name)"
            case .invalidValue(let name): "Invalid value for option: \(name)"
            }
        }
    }

    /// The options in use.
    public let options: Options

    /// The extension with the default options.
    public init() {
        options = Options()
    }

    /// The extension with options, which are checked.
    public init(_ options: Options) throws(InvalidOption) {
        func require(_ name: String, _ value: Int?, in range: ClosedRange<Int>) throws(InvalidOption) {
            if let value, !range.contains(value) { throw .invalidValue(name) }
        }
        try require("level", options.level, in: -1...9)
        try require("memLevel", options.memoryLevel, in: 1...9)
        try require("strategy", options.strategy, in: 0...4)
        try require("maxWindowBits", options.maxWindowBits, in: 9...15)
        try require("requestMaxWindowBits", options.requestMaxWindowBits, in: 8...15)
        try require("minimumBytes", options.minimumBytes, in: 0...Int.max)
        self.options = options
    }

    /// The same with some options changed by name, as a configuration has them: `level`, `memLevel`, `strategy`,
    /// `noContextTakeover`, `maxWindowBits`, `requestNoContextTakeover`, `requestMaxWindowBits`, `minimumBytes`.
    /// A switch is on as a flag or 1 and off as 0.
    public func configured(_ changes: [String: ExtensionValue]) throws(InvalidOption) -> Self {
        var options = options
        for (name, value) in changes.sorted(by: { $0.key < $1.key }) {
            switch name {
            case "level": options.level = try Self.number(name, value)
            case "memLevel": options.memoryLevel = try Self.number(name, value)
            case "strategy": options.strategy = try Self.number(name, value)
            case "noContextTakeover": options.noContextTakeover = try Self.flag(name, value)
            case "maxWindowBits": options.maxWindowBits = try Self.number(name, value)
            case "requestNoContextTakeover": options.requestNoContextTakeover = try Self.flag(name, value)
            case "requestMaxWindowBits": options.requestMaxWindowBits = try Self.number(name, value)
            case "minimumBytes": options.minimumBytes = try Self.number(name, value)
            default: throw .unrecognized(name)
            }
        }
        return try Self(options)
    }

    private static func number(_ name: String, _ value: ExtensionValue) throws(InvalidOption) -> Int {
        guard case .integer(let number) = value else { throw .invalidValue(name) }
        return number
    }

    private static func flag(_ name: String, _ value: ExtensionValue) throws(InvalidOption) -> Bool {
        switch value {
        case .flag, .integer(1): true
        case .integer(0): false
        default: throw .invalidValue(name)
        }
    }

    /// `permessage-deflate`.
    public var name: String { Self.extensionName }

    /// RSV1, which says that a message is compressed.
    public var reservedBits: ReservedBits { .rsv1 }

    /// A session that offers what the options say.
    public func makeClientSession() -> (any ClientExtensionSession)? {
        DeflateSession(options)
    }

    /// A session for the first offer that is valid and can be served.
    public func makeServerSession(
        for offers: [ExtensionParameters]
    ) -> (session: any ExtensionSession, response: ExtensionParameters)? {
        for offer in offers {
            guard let offer = DeflateParameters(offer, isOffer: true),
                let (agreement, response) = offer.accept(options)
            else { continue }
            return (DeflateSession(options, agreement), response.parameters)
        }
        return nil
    }
}
