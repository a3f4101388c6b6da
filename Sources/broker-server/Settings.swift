import BrokerCore
import BrokerFront
import Logging
import NIOCore

/// All that can be configured, with its defaults.
struct Settings {
    var broker = BrokerConfiguration()
    var database = DatabaseLocation.standard
    var logLevel = Logger.Level.info

    init() {
        broker.threads = System.coreCount
    }

    /// Sets one key from its text.
    mutating func set(_ key: String, to value: String) throws(SettingError) {
        guard let setting = Setting.named(key) else { throw .unknown(key) }
        guard setting.set(&self, value) else {
            throw SettingError(description: "\(key): \(value) is not \(setting.expected)")
        }
    }
}

/// A key of the configuration: what it takes, what it means.
struct Setting: Sendable {
    /// Its name; groups are separated by dots.
    let name: String
    /// What a good value is, to go on after "is not".
    let expected: String
    /// Whether it takes a list; each item is set by a call of its own.
    var isList = false
    /// Takes the value, or says that it is not a good one.
    let set: @Sendable (inout Settings, String) -> Bool

    static func named(_ name: String) -> Setting? { all.first { $0.name == name } }

    static let all: [Setting] = [
        Setting(name: "listen", expected: "an address and port such as 127.0.0.1:8000") { settings, value in
            guard let (host, port) = address(value) else { return false }
            settings.broker.host = host
            settings.broker.port = port
            return true
        },
        Setting(name: "database", expected: "the path of a file, or :memory:") { settings, value in
            settings.database = DatabaseLocation(value)
            return !value.isEmpty
        },
        Setting(name: "threads", expected: "a number from 1 to 256") { settings, value in
            settings.broker.threads = Int(value) ?? 0
            return 1...256 ~= settings.broker.threads
        },
        Setting(
            name: "log-level", expected: "one of " + Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
        ) { settings, value in
            guard let level = Logger.Level(rawValue: value) else { return false }
            settings.logLevel = level
            return true
        },
        Setting(name: "allow-origin", expected: "an origin such as https://example.com, or *", isList: true) {
            settings, value in
            settings.broker.allowedOrigins.append(value)
            return value == "*" || value.hasPrefix("http://") || value.hasPrefix("https://")
        },
        Setting(name: "endpoint", expected: "a path such as /bayeux") { settings, value in
            settings.broker.endpoint = value
            return value.hasPrefix("/") && value.count > 1 && !value.hasSuffix("/")
        },
        Setting(name: "channel-grammar", expected: "faye or cometd") { settings, value in
            switch value {
            case "faye": settings.broker.limits.grammar = .faye
            case "cometd": settings.broker.limits.grammar = .cometd
            default: return false
            }
            return true
        },
        Setting(name: "tls.listen", expected: "an address and port such as 0.0.0.0:8443") { settings, value in
            guard let (host, port) = address(value) else { return false }
            settings.broker.tls = settings.broker.tls ?? TLSListener()
            settings.broker.tls?.host = host
            settings.broker.tls?.port = port
            return true
        },
        Setting(name: "tls.certificate", expected: "the path of a file") { settings, value in
            settings.broker.tls = settings.broker.tls ?? TLSListener()
            settings.broker.tls?.certificateFile = value
            return !value.isEmpty
        },
        Setting(name: "tls.key", expected: "the path of a file") { settings, value in
            settings.broker.tls = settings.broker.tls ?? TLSListener()
            settings.broker.tls?.keyFile = value
            return !value.isEmpty
        },
        Setting(name: "tls.client-authority", expected: "the path of a file") { settings, value in
            settings.broker.tls = settings.broker.tls ?? TLSListener()
            settings.broker.tls?.clientAuthorityFile = value
            return !value.isEmpty
        },
        Setting(name: "callback-polling", expected: "true or false") { settings, value in
            guard let isAllowed = Bool(value) else { return false }
            settings.broker.allowsCallbackPolling = isAllowed
            return true
        },
        Setting(name: "page", expected: "true or false") { settings, value in
            guard let isServed = Bool(value) else { return false }
            settings.broker.servesPage = isServed
            return true
        },
        Setting(name: "compression-bytes", expected: "a number of bytes, or 0 for no compression") { settings, value in
            guard let bytes = Int(value), bytes >= 0 else { return false }
            settings.broker.compressionBytes = bytes == 0 ? nil : bytes
            return true
        },
        bytes("limits.message-bytes", \.broker.messageBytes),
        bytes("limits.head-bytes", \.broker.headBytes),
        bytes("limits.outbound-bytes", \.broker.outboundBytes),
        bytes("limits.congested-bytes", \.broker.congestedBytes),
        bytes("limits.queued-bytes", \.broker.limits.queuedBytes),
        bytes("limits.queued-bytes-in-all", \.broker.limits.queuedBytesInAll),
        bytes("limits.channel-bytes", \.broker.limits.channelBytes),
        count("limits.connections", \.broker.connections),
        count("limits.sessions", \.broker.limits.sessions),
        count("limits.subscriptions-per-session", \.broker.limits.subscriptionsPerSession),
        count("limits.replayed-messages", \.broker.limits.replayedMessages),
        count("limits.history-messages", \.broker.limits.historyMessages),
        count("limits.pending-store-operations", \.broker.limits.pendingStoreOperations),
        bytes("limits.pending-store-bytes", \.broker.limits.pendingStoreBytes),
        count("limits.pending-operations-per-connection", \.broker.limits.pendingOperationsPerConnection),
        count("limits.queued-messages", \.broker.limits.queuedMessages),
        count("limits.messages-per-batch", \.broker.limits.envelope.maximumMessages),
        seconds("timeouts.connect", \.broker.limits.timeout),
        seconds("timeouts.handshake", \.broker.handshakeTimeout),
        seconds("timeouts.request", \.broker.requestTimeout),
        seconds("timeouts.close", \.broker.closeTimeout),
        seconds("timeouts.ping", \.broker.pingInterval),
        seconds("timeouts.pong", \.broker.pongTimeout),
        seconds("timeouts.stream-ping", \.broker.streamPingInterval),
        seconds("timeouts.shutdown", \.broker.shutdownTimeout),
    ]

    /// `HOST:PORT`; an IPv6 address stands in brackets.
    private static func address(_ text: String) -> (host: String, port: Int)? {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        let host = text[..<colon].trimmingPrefix("[")
        let name = String(host.hasSuffix("]") ? host.dropLast() : host)
        return name.isEmpty ? nil : (name, Int(port))
    }

    private static func bytes(_ name: String, _ field: any WritableKeyPath<Settings, Int> & Sendable) -> Setting {
        positive(name, "a number of bytes above 0", field)
    }

    private static func count(_ name: String, _ field: any WritableKeyPath<Settings, Int> & Sendable) -> Setting {
        positive(name, "a number above 0", field)
    }

    private static func positive(
        _ name: String, _ expected: String, _ field: any WritableKeyPath<Settings, Int> & Sendable
    ) -> Setting {
        Setting(name: name, expected: expected) { settings, value in
            settings[keyPath: field] = Int(value) ?? 0
            return settings[keyPath: field] > 0
        }
    }

    private static func seconds(_ name: String, _ field: any WritableKeyPath<Settings, Duration> & Sendable) -> Setting
    {
        Setting(name: name, expected: "a number of seconds above 0") { settings, value in
            guard let seconds = Double(value), seconds > 0, seconds < 1e6 else { return false }
            settings[keyPath: field] = .seconds(seconds)
            return true
        }
    }
}

/// A value that cannot be taken, or a key that does not exist.
struct SettingError: Error, CustomStringConvertible {
    let description: String

    /// There is no such key; names the one of `names` that was probably meant.
    static func unknown(_ key: String, among names: [String] = Setting.all.map(\.name) + ["channels"]) -> Self {
        let nearest = names.min { distance($0, key) < distance($1, key) }
        let hint = nearest.flatMap { distance($0, key) <= max(2, key.count / 3) ? $0 : nil }
        return Self(description: "unknown key \"\(key)\"" + (hint.map { ", did you mean \"\($0)\"?" } ?? ""))
    }

    /// How many characters must be added, left out or replaced to get from one to the other (Levenshtein).
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var row = Array(0...right.count)
        for (index, character) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let replaced = diagonal + (right[column] == character ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, row[column] + 1, row[column + 1] + 1)
            }
        }
        return row[right.count]
    }
}
