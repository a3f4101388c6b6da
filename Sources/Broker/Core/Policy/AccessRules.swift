/// What somebody wants to do with a channel. Reading what is retained, or what was, is subscribing.
package enum AccessVerb: String, Sendable, CaseIterable {
    case publish, subscribe
}

/// Whom a rule lets do something.
package enum Audience: String, Sendable, CaseIterable {
    case everyone
    /// Everyone but web pages; those that have a token, too.
    case notBrowsers = "not-browsers"
    /// Who has a token that grants it, or that does not speak of it.
    case authenticated
    /// Who has a token that grants it.
    case granted
    /// Nobody, whatever a token says; only the program that the broker is a part of.
    case nobody

    /// Whether `caller` may do this with all that `target` stands for, as far as this audience goes.
    func admits(_ caller: Caller, _ verb: AccessVerb, _ target: ChannelPattern) -> Bool {
        if caller.isTrusted { return true }
        switch self {
        case .everyone: return true
        case .nobody: return false
        case .notBrowsers, .authenticated, .granted: break
        }
        if let principal = caller.principal {
            if principal.isAdmin { return true }
            if let grants = principal.grants(verb) {
                if grants.contains(where: { $0.covers(target) }) { return true }
            } else if self != .granted {
                return true
            }
        }
        return self == .notBrowsers && !caller.isBrowser
    }
}

/// Who may publish and subscribe, by channel. The most specific rule that speaks of the verb decides alone: the channel's
/// very name, then one wildcard segment, then the longest prefix, then the default.
///
/// Whoever subscribes to a pattern must be let in by every rule that decides about a channel below it. So what a
/// subscription was once let in for needs no look at each delivery, replayed page or retained message.
package struct AccessRules: Sendable {
    /// What came of a question, and which rule decided it.
    package struct Decision: Sendable, Equatable {
        package let isAllowed: Bool
        /// The rule's pattern; nil for the default.
        package let pattern: String?
        package let audience: Audience
    }
    /// The rules of one verb.
    private struct Table: Sendable {
        var standard: Audience
        var exact: [String: (pattern: ChannelPattern, audience: Audience)] = [:]
        /// The most specific first.
        var patterns: [(pattern: ChannelPattern, audience: Audience)] = []

        var isOpen: Bool {
            standard == .everyone && exact.values.allSatisfy { $0.audience == .everyone }
                && patterns.allSatisfy { $0.audience == .everyone }
        }
    }
    private var publish: Table
    private var subscribe: Table

    /// Rules without exception.
    package init(publish: Audience = .everyone, subscribe: Audience = .everyone) {
        self.publish = Table(standard: publish)
        self.subscribe = Table(standard: subscribe)
    }

    /// Whether everybody may do everything.
    package var isOpen: Bool { publish.isOpen && subscribe.isOpen }

    /// Adds a rule.
    package mutating func set(_ verb: AccessVerb, of pattern: ChannelPattern, to audience: Audience) {
        switch verb {
        case .publish: Self.set(pattern, to: audience, in: &publish)
        case .subscribe: Self.set(pattern, to: audience, in: &subscribe)
        }
    }

    private static func set(_ pattern: ChannelPattern, to audience: Audience, in table: inout Table) {
        if pattern.kind == .exact { return table.exact[pattern.text] = (pattern, audience) }
        table.patterns.removeAll { $0.pattern == pattern }
        table.patterns.append((pattern, audience))
        table.patterns.sort {
            ($1.pattern.segmentCount, $0.pattern.kind.rawValue) < ($0.pattern.segmentCount, $1.pattern.kind.rawValue)
        }
    }

    /// Whether `caller` may do this with a channel.
    package func decide(_ verb: AccessVerb, _ channel: ChannelName, _ caller: Caller) -> Decision {
        let table = verb == .publish ? publish : subscribe
        let target = ChannelPattern(channel)
        let (pattern, audience) = Self.rule(for: target, in: table)
        return Decision(isAllowed: audience.admits(caller, verb, target), pattern: pattern, audience: audience)
    }

    /// Whether `caller` may do this with every channel that `target` stands for; if not, the rule that stands against it.
    package func decide(_ verb: AccessVerb, _ target: ChannelPattern, _ caller: Caller) -> Decision {
        if let name = ChannelName(target) { return decide(verb, name, caller) }
        let table = verb == .publish ? publish : subscribe
        let (pattern, audience) = Self.rule(for: target, in: table)
        let decision = Decision(
            isAllowed: audience.admits(caller, verb, target), pattern: pattern, audience: audience)
        guard decision.isAllowed else { return decision }
        for (inner, audience) in table.patterns where inner != target && target.covers(inner) {
            if audience.admits(caller, verb, inner) { continue }
            return Decision(isAllowed: false, pattern: inner.text, audience: audience)
        }
        for (inner, audience) in table.exact.values where target.covers(inner) {
            if audience.admits(caller, verb, inner) { continue }
            return Decision(isAllowed: false, pattern: inner.text, audience: audience)
        }
        return decision
    }

    /// The most specific rule that speaks of all that `target` stands for.
    private static func rule(for target: ChannelPattern, in table: Table) -> (String?, Audience) {
        if target.kind == .exact, let rule = table.exact[target.text] { return (target.text, rule.audience) }
        if let rule = table.patterns.first(where: { $0.pattern.covers(target) }) {
            return (rule.pattern.text, rule.audience)
        }
        return (nil, table.standard)
    }
}

extension ChannelPattern {
    /// Whether every name that `other` stands for is one that this stands for. Linear in the prefix.
    package func covers(_ other: ChannelPattern) -> Bool {
        switch kind {
        case .exact: return other.kind == .exact && text == other.text
        case .children:
            if other.kind == .children { return text == other.text }
            return other.kind == .exact && other.segmentCount == segmentCount && hasPrefix(of: other)
        case .descendants: return other.segmentCount >= segmentCount && hasPrefix(of: other)
        }
    }

    private func hasPrefix(of other: ChannelPattern) -> Bool {
        other.text.utf8.starts(with: text.utf8.prefix(prefixByteCount))
    }
}
