import BrokerCore

/// A key of a channel's policy: what it takes, what it means. Policies stand below `channels`, by pattern.
struct PolicySetting: Sendable {
    let name: String
    /// What a good value is, to go on after "is not".
    let expected: String
    /// Takes the value, or says that it is not a good one.
    let set: @Sendable (inout ChannelPolicy, String) -> Bool

    static let all: [PolicySetting] = [
        PolicySetting(name: "retain", expected: "true or false") { policy, value in
            guard let retain = Bool(value) else { return false }
            policy.retain = retain
            return true
        },
        PolicySetting(name: "history", expected: "a number of messages") { policy, value in
            policy.historyCount = Int(value) ?? -1
            return policy.historyCount >= 0
        },
        PolicySetting(name: "history-age", expected: "a number of seconds above 0") { policy, value in
            guard let seconds = Double(value), seconds > 0, seconds < 1e10 else { return false }
            policy.historyAge = .seconds(seconds)
            return true
        },
        PolicySetting(
            name: "slow", expected: "one of " + SlowPolicy.allCases.map(\.rawValue).joined(separator: ", ")
        ) { policy, value in
            guard let slow = SlowPolicy(rawValue: value) else { return false }
            policy.slow = slow
            return true
        },
        PolicySetting(
            name: "durability", expected: "one of " + Durability.allCases.map(\.rawValue).joined(separator: ", ")
        ) { policy, value in
            guard let durability = Durability(rawValue: value) else { return false }
            policy.durability = durability
            return true
        },
    ]
}
