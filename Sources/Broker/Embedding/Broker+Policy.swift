import BrokerCore

extension Broker {
    /// What the broker does with publications of certain channels, beyond delivering them.
    public struct Policy: Sendable, Equatable {
        /// What an acknowledgement promises of publications that are stored, if the broker has a database.
        public enum Durability: Sendable {
            /// Nothing is written: they are gone with the process.
            case memory
            /// They survive the end of the process, whatever ends it, but not the loss of power.
            case normal
            /// They survive the loss of power, too.
            case full
        }
        /// What happens to messages for a subscriber who cannot keep up. What it misses it is told.
        public enum Slow: Sendable {
            /// They wait, up to the bounds of the session's queue; then the oldest make room.
            case queue
            /// Only the newest one of the channel waits.
            case latest
            /// The subscriber is cut off.
            case disconnect
        }

        /// Whether every publication becomes the channel's retained message, not only one that asks for it.
        public var retain: Bool
        /// How many of the last publications can be read again; 0 for none.
        public var history: Int
        /// How long they can be, if that is limited, too.
        public var historyAge: Duration?
        /// What an acknowledgement promises of publications that are stored.
        public var durability: Durability
        /// What happens to messages for a subscriber who cannot keep up.
        public var slow: Slow

        /// A policy; by default nothing beyond delivery.
        public init(
            retain: Bool = false, history: Int = 0, historyAge: Duration? = nil, durability: Durability = .normal,
            slow: Slow = .queue
        ) {
            self.retain = retain
            self.history = history
            self.historyAge = historyAge
            self.durability = durability
            self.slow = slow
        }

        fileprivate var core: ChannelPolicy {
            let durability: BrokerCore.Durability =
                switch self.durability {
                case .memory: .memory
                case .normal: .normal
                case .full: .full
                }
            let slow: SlowPolicy =
                switch self.slow {
                case .queue: .queue
                case .latest: .latest
                case .disconnect: .disconnect
                }
            return ChannelPolicy(
                retain: retain, historyCount: max(history, 0), historyAge: historyAge, durability: durability,
                slow: slow)
        }
    }

    /// The policies as the broker's parts take them. Throws for a key that is no channel or pattern of clients.
    static func policies(of channels: [String: Policy]) throws(BrokerOptionError) -> ChannelPolicies {
        var policies = ChannelPolicies()
        for (text, policy) in channels {
            guard let pattern = try? ChannelPattern(text, grammar: .cometd, maximumBytes: .max), pattern.isForClients
            else { throw BrokerOptionError(description: "channels: \(text) is no channel or pattern of clients") }
            policies[pattern] = policy.core
        }
        return policies
    }
}

/// An option that the broker cannot be run with.
public struct BrokerOptionError: Error, Sendable, Equatable, CustomStringConvertible {
    /// One line: which one, and what is wrong.
    public let description: String
}
