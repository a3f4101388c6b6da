import BrokerFront
import Logging
import NIOCore

/// All that can be configured, with its defaults, and where each value came from.
struct Settings {
    var broker = BrokerConfiguration()
    var database = DatabaseLocation.standard
    var logLevel = Logger.Level.info
    var logFormat = LogFormat.auto
    /// Where the values came from that are not the defaults, by key.
    private(set) var sources: [String: SettingSource] = [:]

    init() {
        broker.threads = System.coreCount
    }

    /// Sets one key from the text of its value; a list from that of its items, which replace those it had.
    mutating func set(_ key: String, to values: [String], from source: SettingSource) throws(SettingError) {
        guard let setting = Setting.named(key) else { throw .unknown(key) }
        for value in values {
            guard setting.accepts(value) else {
                throw .unfit(setting.isSecret ? "what is given" : value, for: key, setting.expected)
            }
        }
        setting.set(&self, values)
        sources[key] = source
    }

    /// Where a key's value came from.
    func source(of key: String) -> SettingSource { sources[key] ?? .standard }

    /// Notes where something came from that is no setting of its own.
    mutating func note(_ source: SettingSource, for key: String) {
        sources[key] = source
    }
}

/// Where a value came from; each wins over those before it.
enum SettingSource: Equatable {
    case standard
    /// A place in the configuration file.
    case file(String)
    case environment(variable: String)
    case flag(String)

    var description: String {
        switch self {
        case .standard: "default"
        case .file(let place): place
        case .environment(let variable): variable
        case .flag(let name): name
        }
    }
}
