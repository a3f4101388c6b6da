/// What the broker does with publications of certain channels, beyond delivering them.
package struct ChannelPolicy: Sendable, Equatable {
    /// Whether every publication becomes the channel's retained message, not only one that asks for it.
    package var retain = false
    /// How many of the last publications can be read again; 0 for none.
    package var historyCount = 0
    /// How long they can be, if that is limited, too.
    package var historyAge: Duration?
    /// What an acknowledgement promises of publications that are stored.
    package var durability = Durability.normal
    /// What happens to messages for a subscriber who cannot keep up.
    package var slow = SlowPolicy.queue
    /// How fast each of the channels takes publications, whoever sends them.
    package var rate: Rate?
    /// How many bytes of data each publication may have, if not as many as any message.
    package var messageBytes: Int?

    /// Nothing beyond delivery.
    package init(
        retain: Bool = false, historyCount: Int = 0, historyAge: Duration? = nil, durability: Durability = .normal,
        slow: SlowPolicy = .queue, rate: Rate? = nil, messageBytes: Int? = nil
    ) {
        self.messageBytes = messageBytes
        self.rate = rate
        self.slow = slow
        self.durability = durability
        self.retain = retain
        self.historyCount = historyCount
        self.historyAge = historyAge
    }

    /// Whether publications go through the store.
    var isStored: Bool { retain || historyCount > 0 }

    /// What is kept of a publication that is made now.
    func history(now: Moment) -> PublicationDraft.History? {
        guard historyCount > 0 else { return nil }
        let age = historyAge.map { Int64(clamping: $0.milliseconds) }
        return .init(count: historyCount, until: age.map { now.wall.addingReportingOverflow($0).partialValue } ?? .max)
    }
}

/// Policies by pattern; the most specific pattern that matches a channel decides alone: its very name, then one wildcard
/// segment, then the longest prefix.
package struct ChannelPolicies: Sendable, Equatable {
    private var exact: [String: ChannelPolicy] = [:]
    /// The most specific first.
    private var patterns: [(pattern: ChannelPattern, policy: ChannelPolicy)] = []

    /// No policies: every channel has the default.
    package init() {}

    /// Whether every channel has the default.
    package var isEmpty: Bool { exact.isEmpty && patterns.isEmpty }

    /// Sets the policy of a pattern.
    package subscript(_ pattern: ChannelPattern) -> ChannelPolicy? {
        get {
            pattern.kind == .exact ? exact[pattern.text] : patterns.first { $0.pattern == pattern }?.policy
        }
        set {
            if pattern.kind == .exact { return exact[pattern.text] = newValue }
            patterns.removeAll { $0.pattern == pattern }
            guard let newValue else { return }
            patterns.append((pattern, newValue))
            patterns.sort {
                ($1.pattern.segmentCount, $0.pattern.kind.rawValue) < (
                    $0.pattern.segmentCount, $1.pattern.kind.rawValue
                )
            }
        }
    }

    /// Each pattern with its policy: channels by name, then the patterns, the most specific first.
    package var all: [(pattern: String, policy: ChannelPolicy)] {
        exact.sorted { $0.key < $1.key }.map { (pattern: $0.key, policy: $0.value) }
            + patterns.map { (pattern: $0.pattern.text, policy: $0.policy) }
    }

    /// What holds for a channel.
    package func policy(for channel: ChannelName) -> ChannelPolicy {
        if let policy = exact[channel.text] { return policy }
        // By place: looked at one by one, each would be copied for every publication.
        guard let place = patterns.indices.first(where: { patterns[$0].pattern.matches(channel) }) else {
            return ChannelPolicy()
        }
        return patterns[place].policy
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.exact == right.exact && left.patterns.elementsEqual(right.patterns) { $0 == $1 }
    }
}
