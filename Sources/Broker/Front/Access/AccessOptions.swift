package import BrokerCore

/// How a broker tells who may do what.
package struct AccessOptions: Sendable {
    /// A rule for a channel or pattern.
    package struct Rule: Sendable, Equatable {
        package let verb: AccessVerb
        package let pattern: ChannelPattern
        package let audience: Audience

        /// Who may do this with these channels.
        package init(_ verb: AccessVerb, _ pattern: ChannelPattern, _ audience: Audience) {
            (self.verb, self.pattern, self.audience) = (verb, pattern, audience)
        }
    }
    /// Where keys of tokens come from; without any, no tokens are taken.
    package var keySources: [TokenKeySource] = []
    /// How those are fetched that are at addresses.
    package var keySets = KeySetOptions()
    /// What is asked of tokens beyond a good signature.
    package var tokens = TokenVerifier.Options()
    /// Who may publish where no rule says anything. Unless told otherwise: who has a token when tokens are taken, else
    /// everyone on this machine, else everyone but web pages.
    package var publish: Audience?
    /// Who may subscribe where no rule says anything; unless told otherwise everyone.
    package var subscribe: Audience?
    /// By channel or pattern.
    package var rules: [Rule] = []

    /// The defaults.
    package init() {}
}

extension BrokerConfiguration {
    /// The rules that this configuration comes down to.
    package func access(takesTokens: Bool) -> AccessRules {
        let publish: Audience = takesTokens ? .authenticated : isForThisMachineOnly ? .everyone : .notBrowsers
        var rules = AccessRules(publish: access.publish ?? publish, subscribe: access.subscribe ?? .everyone)
        for rule in access.rules { rules.set(rule.verb, of: rule.pattern, to: rule.audience) }
        return rules
    }
}
