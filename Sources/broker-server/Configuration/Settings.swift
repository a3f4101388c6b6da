import BrokerCore
import BrokerFront
import Logging

/// All that can be configured, with its defaults, and where each value came from.
struct Settings {
    var broker = BrokerConfiguration()
    var database = DatabaseLocation.standard
    var storeLimits = StoreLimits()
    var logLevel = Logger.Level.info
    var logFormat = LogFormat.auto
    /// Where to listen in short; nil for the default, which holds only where there is no other listener.
    private var listenAddresses: [ListenerAddress]?
    /// The listener of the group `tls`.
    var tls: ListenerOptions?
    /// Listeners with options of their own.
    var listeners: [ListenerOptions] = []
    /// Where the values came from that are not the defaults, by key.
    private(set) var sources: [String: SettingSource] = [:]

    init() {
        broker.threads = UsableCores.count
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

    /// Where to listen in short.
    var listen: [ListenerAddress] {
        get { listenAddresses ?? (listeners.isEmpty ? [.tcp(host: "127.0.0.1", port: 8000)] : []) }
        set { listenAddresses = newValue }
    }

    /// All of them, in the order in which they are opened.
    private var allListeners: [ListenerOptions] {
        listen.map { ListenerOptions($0) } + (tls.map { [$0] } ?? []) + listeners
    }

    /// Has the broker's configuration follow from what is set. Throws for what each value is good by itself and not with
    /// the others.
    mutating func complete() throws(ConfigurationError) {
        let problems = listenerProblems + stopProblems
        if !problems.isEmpty { throw ConfigurationError(problems: problems) }
        broker.listeners = allListeners
    }

    /// What is wrong with how long the broker takes to stop: nobody would be left the time to say goodbye.
    private var stopProblems: [String] {
        let (delay, whole) = (broker.drainDelay, broker.shutdownTimeout)
        guard delay > .zero, delay >= whole else { return [] }
        let (here, there) = (TimeSpan.format(delay), TimeSpan.format(whole))
        return [
            "\(source(of: "timeouts.drain-delay").description): timeouts.drain-delay: \(here) is not shorter than "
                + "timeouts.shutdown, which is \(there)"
        ]
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
