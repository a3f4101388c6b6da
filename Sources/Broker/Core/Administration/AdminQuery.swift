/// What the administrator asks the router. Each is answered by one `AdminAnswer`, after a bounded amount of work.
package enum AdminQuery: Sendable, Equatable {
    /// What there is, and how much has gone through.
    case statistics
    /// Channels and patterns that are subscribed to, from a place in the list on; those below `within` if it is given.
    case channels(within: ChannelPattern?, AdminPage)
    /// Sessions, from a place in the list on.
    case sessions(AdminPage)
    /// One session, all of it.
    case session(SessionTag)
    /// End a session; its client is told to stay away.
    case kick(SessionTag)
    /// Why sessions ended: those with this tag or all, the last so many.
    case endings(SessionTag?, limit: Int)
}

/// A part of a list. Lists change while they are read: what was there all the time is told, in no order.
package struct AdminPage: Sendable, Equatable {
    /// Items that one answer holds, and places that are looked at for them.
    package static let maximumCount = 1000
    static let maximumPlaces = 20_000

    /// Where to begin: 0, or what the last part named.
    package let start: Int
    /// How many items at most.
    package let limit: Int

    /// A part of `limit` items, 1 to `maximumCount`.
    package init(start: Int, limit: Int) {
        self.start = max(start, 0)
        self.limit = min(max(limit, 1), Self.maximumCount)
    }
}

/// By what people name a session: the first characters of its client id.
///
/// Whoever knows a client id can speak for the session, so it is shown nowhere. The 8 characters that lists show leave
/// 118 of its 160 bits to guess, and tell 100,000 sessions apart but for one pair in five hundred lists.
package struct SessionTag: Sendable, Equatable, CustomStringConvertible {
    /// The characters that lists show, and the fewest that name a session.
    package static let length = 8

    package let text: String

    /// The tag that was typed: 8 characters of a client id or more; nil if there are fewer.
    package init?(_ text: some StringProtocol) {
        guard text.utf8.count >= Self.length else { return nil }
        self.text = String(text)
    }

    /// The tag that is shown for a session.
    package init(of clientID: String) { text = String(clientID.prefix(Self.length)) }

    package var description: String { text }

    /// Whether it may name a session of which no more is known than another tag.
    func names(_ other: SessionTag) -> Bool { text.utf8.starts(with: other.text.utf8) }

    func names(_ clientID: String) -> Bool { clientID.utf8.starts(with: text.utf8) }
}

/// What the router answers.
package enum AdminAnswer: Sendable, Equatable {
    case statistics(RouterStatistics)
    case channels([ChannelReport], next: Int?)
    case sessions([SessionReport], next: Int?)
    /// The session, with the channels and patterns that it is subscribed to, sorted.
    case session(SessionReport, subscriptions: [String])
    /// The session was ended.
    case kicked(SessionTag)
    /// Sessions that have ended, the newest first.
    case endings([EndedSession])
    /// None that is remembered has this tag; whether there is one that has not ended.
    case notEnded(SessionTag, isAlive: Bool)
    /// No session has this tag.
    case unknown(SessionTag)
    /// More than one session has this tag.
    case ambiguous(SessionTag)
}

/// What the router holds, and what it has done since it was started.
package struct RouterStatistics: Sendable, Equatable {
    package var sessionCount = 0
    package var subscriptionCount = 0
    /// Those of them that are to patterns with a wildcard.
    package var wildcardSubscriptionCount = 0
    /// Channels and patterns that have subscribers.
    package var patternCount = 0
    /// Publications that went to subscribers, or would have if there had been any.
    package var publishedCount: UInt64 = 0
    /// Messages that were given to connections or queued for sessions.
    package var deliveredCount: UInt64 = 0
    /// The weight of the messages that wait for sessions.
    package var queuedBytes = 0
    /// Operations under way in the store.
    package var pendingOperationCount = 0
    /// Those of them that are publications.
    package var pendingPublicationCount = 0
    /// The number of the last stored publication.
    package var lastSequence: UInt64 = 0
    package var epoch = ""
}

/// A channel or pattern and how many sessions have subscribed to it.
package struct ChannelReport: Sendable, Equatable {
    package let pattern: String
    package let subscriberCount: Int
}

/// What can be told of a session without its secret.
package struct SessionReport: Sendable, Equatable {
    /// How the client is reached.
    package enum State: String, Sendable {
        /// By a WebSocket or an event stream.
        case connected
        /// By the answer to a connect that is held.
        case polling
        /// Not at all: messages wait.
        case away
    }
    package let tag: SessionTag
    package let state: State
    package let subscriptionCount: Int
    package let queuedMessageCount: Int
    package let queuedBytes: Int
    /// Whether it does not take messages as fast as they come.
    package let isSlow: Bool
    /// Whether it acknowledges messages.
    package let acknowledges: Bool
    /// Whether it goes on after a restart of the broker.
    package let isStored: Bool
    /// Whether it is an event stream of channels, which ends with its connection.
    package let isStream: Bool
    /// Up to where in the log its client is known to have everything.
    package let cursor: UInt64
    /// Until it ends unless its client connects; nil for one that ends with its connection.
    package let timeLeft: Duration?
}
