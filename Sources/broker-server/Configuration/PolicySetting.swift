import BrokerCore

/// A key of a channel's policy: what it takes, what it means. Policies stand below `channels`, by pattern.
struct PolicySetting: Sendable {
    let name: String
    /// What it takes, as the reference says it.
    let type: String
    /// What a good value is, to go on after "is not".
    let expected: String
    /// What it is for: a clause that begins in lower case, without a full stop.
    let meaning: String
    /// Takes the value, or says that it is not a good one.
    let set: @Sendable (inout ChannelPolicy, String) -> Bool
    /// The text of its value; nil when it is not set.
    let get: @Sendable (ChannelPolicy) -> String?

    init<Value>(
        _ name: String, _ type: ValueType<Value>, _ field: any WritableKeyPath<ChannelPolicy, Value> & Sendable,
        _ meaning: String
    ) {
        self.name = name
        self.type = type.name
        self.meaning = meaning
        expected = type.expected
        set = { policy, text in
            guard let value = type.parse(text) else { return false }
            policy[keyPath: field] = value
            return true
        }
        get = { policy in
            let text = type.format(policy[keyPath: field])
            return text.isEmpty ? nil : text
        }
    }

    static let all: [PolicySetting] = [
        PolicySetting(
            "retain", .flag, \.retain, "whether the last one is retained, also when its publisher does not ask for it"),
        PolicySetting("history", .count(0...), \.historyCount, "so many can be read again"),
        PolicySetting("history-age", ValueType.time.optional, \.historyAge, "and no older ones"),
        PolicySetting(
            "slow", .choice, \.slow,
            "for who cannot keep up: queue, latest (only the newest one), disconnect"),
        PolicySetting(
            "durability", .choice, \.durability,
            "memory: gone with the process; normal: survives a crash; full: the loss of power, too"),
    ]
}
