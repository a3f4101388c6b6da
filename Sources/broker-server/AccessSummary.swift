import BrokerCore
import BrokerFront
import Logging

/// What is said of who may do what: in the log always, on the terminal only what may surprise.
struct AccessSummary {
    private let configuration: BrokerConfiguration
    private let takesTokens: Bool

    init(_ configuration: BrokerConfiguration) {
        self.configuration = configuration
        takesTokens = !configuration.access.keySources.isEmpty
    }

    /// Who may do this where no rule says anything.
    private func standard(_ verb: AccessVerb) throws -> Audience {
        let channel = try ChannelName("/channel", grammar: .faye, maximumBytes: 512)
        var configuration = configuration
        configuration.access.rules = []
        return configuration.access(takesTokens: takesTokens).decide(verb, channel, Caller(isBrowser: true)).audience
    }

    /// Who may, where no rule says anything and the setting does not, and why; nil for settings of other things.
    func unsaid(_ setting: String) -> (audience: Audience, because: String)? {
        guard let verb = AccessVerb.allCases.first(where: { setting == "auth.\($0.rawValue)" }),
            let audience = try? standard(verb)
        else { return nil }
        if verb == .subscribe { return (audience, "default") }
        if takesTokens { return (audience, "default with auth.keys") }
        return (audience, configuration.isForThisMachineOnly ? "default on loopback" : "default beyond loopback")
    }

    /// One line for the log.
    func log(to logger: Logger) {
        guard let publish = try? standard(.publish), let subscribe = try? standard(.subscribe) else { return }
        logger.info(
            "access",
            metadata: [
                "publish": "\(publish.rawValue)", "subscribe": "\(subscribe.rawValue)",
                "rules": "\(configuration.access.rules.count)",
                "keys": "\(configuration.access.keySources.count)",
            ])
    }

    /// A line for the terminal, with its end; empty when nothing is refused by default.
    var banner: String {
        switch try? standard(.publish) {
        case .everyone?, nil: ""
        case .notBrowsers?: "  publishing not for web pages; see auth.publish in docs/access.md\n"
        case .authenticated?, .granted?: "  publishing with a token: broker-server token --help\n"
        case .nobody?: "  publishing for nobody, but where a rule says so\n"
        }
    }
}
