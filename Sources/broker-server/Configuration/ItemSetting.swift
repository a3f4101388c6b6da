import BrokerCore

/// A key of something of which there may be many, such as a channel's policy or a listener: what it takes, what it means.
struct ItemSetting<Item>: Sendable {
    let name: String
    /// What it takes, as the reference says it.
    let type: String
    /// What a good value is, to go on after "is not".
    let expected: String
    /// What it is for: a clause that begins in lower case, without a full stop.
    let meaning: String
    /// A value to show where there is no default.
    var example: String?
    /// What holds when nothing is said, where that depends on other keys.
    var defaultNote: String?
    /// Whether a reload takes it over.
    var isLive = false
    /// Takes the value, or says that it is not a good one.
    let set: @Sendable (inout Item, String) -> Bool
    /// The text of its value; nil when it is not set.
    let get: @Sendable (Item) -> String?

    init<Value>(
        _ name: String, _ type: ValueType<Value>, _ meaning: String,
        get: @escaping @Sendable (Item) -> Value?, set: @escaping @Sendable (inout Item, Value) -> Void
    ) {
        self.name = name
        self.type = type.name
        self.meaning = meaning
        expected = type.expected
        self.set = { item, text in
            guard let value = type.parse(text) else { return false }
            set(&item, value)
            return true
        }
        self.get = { item in
            guard let text = get(item).map(type.format), !text.isEmpty else { return nil }
            return text
        }
    }

    init<Value>(
        _ name: String, _ type: ValueType<Value>, _ field: any WritableKeyPath<Item, Value> & Sendable,
        _ meaning: String
    ) {
        self.init(
            name, type, meaning, get: { $0[keyPath: field] }, set: { item, value in item[keyPath: field] = value })
    }

    /// The same, with some of what the reference says of it.
    func with(isLive: Bool = false, defaultNote: String? = nil, example: String? = nil) -> Self {
        var setting = self
        setting.isLive = isLive
        setting.defaultNote = defaultNote
        setting.example = example
        return setting
    }
}

/// A key of a channel's policy. Policies stand below `channels`, by pattern.
typealias PolicySetting = ItemSetting<ChannelPolicy>

extension ItemSetting where Item == ChannelPolicy {
    static var all: [PolicySetting] {
        [
            PolicySetting(
                "retain", .flag, \.retain,
                "whether the last one is retained, also when its publisher does not ask for it"),
            PolicySetting("history", .count(0...), \.historyCount, "so many can be read again"),
            PolicySetting("history-age", ValueType.time.optional, \.historyAge, "and no older ones").with(
                example: "1d"),
            PolicySetting(
                "slow", .choice, \.slow,
                "for who cannot keep up: queue, latest (only the newest one), disconnect"),
            PolicySetting(
                "rate", .rate,
                "how many publications each channel takes, whoever sends them; more are refused",
                get: { policy in policy.rate.map { .some($0) } }, set: { $0.rate = $1 }
            ).with(example: "100/s burst 500"),
            PolicySetting(
                "message-bytes", ValueType.pieceBytes.optional, \.messageBytes,
                "how many bytes of data a publication may have; larger ones are refused"
            ).with(example: "16KiB"),
            PolicySetting(
                "durability", .choice, \.durability,
                "memory: gone with the process; normal: survives a crash; full: the loss of power, too"),
        ]
    }
}
