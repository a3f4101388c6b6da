/// What the broker keeps: the log of stored publications, retained messages, sessions and their subscriptions.
///
/// The one rule that everything else follows from: **operations take effect in the order in which they were submitted,
/// and their outcomes are handed over in that order.** A subscription's outcome therefore stands in the stream of
/// outcomes at the very point at which its retained messages were read: every publication before it is in them, every
/// publication after it is live. Nothing is missed, nothing comes twice.
///
/// - *Atomicity*: an operation takes effect whole or not at all.
/// - *Durability*: an outcome is handed over only after what it tells of survives the end of the process, as far as the
///   store keeps anything at all.
/// - *Failure*: an operation that cannot be carried out has the outcome `failed`; later operations go on.
package protocol Store: Sendable {
    /// Opens the store, brings its schema up to date and reads what outlived the last run. Called once, before all else.
    ///
    /// `handler` is called with outcomes, from any thread, one call at a time, never from within `submit`'s caller's
    /// turn in a way that would need `submit` to return first.
    func open(handler: @escaping @Sendable ([StoreOutcome]) -> Void) throws(StoreError) -> StoredState

    /// Takes operations without waiting for them.
    func submit(_ operations: [StoreOperation])

    /// Carries out what was submitted, then closes; blocks until that is done. The last call.
    func close()
}

/// Connects an operation with its outcome; the submitter chooses it.
package typealias StoreTicket = UInt64

/// One thing for the store to do; each has exactly one outcome.
package enum StoreOperation: Sendable {
    /// Gives a publication the next sequence number and keeps it as its retention says.
    case publish(StoreTicket, PublicationDraft)
    /// Adds subscriptions to a session (and the session, if it is new), then reads what of the past is wanted. Without a
    /// client id only the latter.
    case subscribe(StoreTicket, clientID: String?, [SubscriptionItem], BacklogLimits, wall: Int64)
    /// Removes subscriptions of a session; those that it does not have are passed over.
    case unsubscribe(StoreTicket, clientID: String, patterns: [ChannelPattern])
    /// Forgets a session and its subscriptions.
    case endSession(StoreTicket, clientID: String)
    /// Reads the retained message of a channel.
    case readRetained(StoreTicket, ChannelName, wall: Int64)
    /// Reads at most `limit` publications of a channel's history, the oldest behind `after`.
    case readHistory(StoreTicket, ChannelName, after: UInt64, limit: Int, wall: Int64)
    /// Changes nothing: its outcome comes after those of all that was submitted before it.
    case pass(StoreTicket)

    /// The operation's ticket.
    package var ticket: StoreTicket {
        switch self {
        case .publish(let ticket, _), .subscribe(let ticket, _, _, _, _), .unsubscribe(let ticket, _, _),
            .endSession(let ticket, _), .readRetained(let ticket, _, _), .readHistory(let ticket, _, _, _, _),
            .pass(let ticket):
            ticket
        }
    }
}

/// What became of an operation.
package enum StoreOutcome: Sendable, Equatable {
    /// The publication has this sequence number.
    case published(StoreTicket, sequence: UInt64)
    /// What a subscriber, or a reader of retained messages or history, gets.
    case backlog(StoreTicket, Backlog)
    /// Done, with nothing to tell.
    case done(StoreTicket)
    /// Not done, and without effect.
    case failed(StoreTicket, StoreError)

    /// The ticket of the operation that this is the outcome of.
    package var ticket: StoreTicket {
        switch self {
        case .published(let ticket, _), .backlog(let ticket, _), .done(let ticket), .failed(let ticket, _): ticket
        }
    }
}

/// A publication that has no sequence number yet.
package struct PublicationDraft: Sendable, Equatable {
    /// What the channel keeps of it.
    package enum Retention: Sendable, Equatable {
        /// It becomes the channel's retained message.
        case replace
        /// The channel's retained message is forgotten (a retained publication of `null`).
        case clear
    }

    /// How long it can be read again.
    package struct History: Sendable, Equatable {
        /// The channel keeps this many.
        package let count: Int
        /// And none of them beyond this time, in milliseconds since 1970.
        package let until: Int64

        /// So many, so long.
        package init(count: Int, until: Int64) {
            self.count = count
            self.until = until
        }
    }
    package let channel: ChannelName
    /// The published value, valid JSON.
    package let data: [UInt8]
    /// Whether it is CometD's form of binary data.
    package let isBinary: Bool
    package let retention: Retention?
    package let history: History?
    /// When it was published and when it is to be dropped, in milliseconds since 1970.
    package let publishedAt: Int64
    package let expiresAt: Int64?

    /// A publication for the store.
    package init(
        channel: ChannelName, data: [UInt8], isBinary: Bool = false, retention: Retention?, history: History? = nil,
        publishedAt: Int64, expiresAt: Int64?
    ) {
        self.channel = channel
        self.data = data
        self.isBinary = isBinary
        self.retention = retention
        self.history = history
        self.publishedAt = publishedAt
        self.expiresAt = expiresAt
    }
}

/// A publication as the log holds it.
package struct StoredPublication: Sendable, Equatable {
    package let sequence: UInt64
    package let channel: ChannelName
    /// The published value, valid JSON.
    package let data: [UInt8]
    /// Whether it is CometD's form of binary data.
    package let isBinary: Bool

    /// A publication read from the log.
    package init(sequence: UInt64, channel: ChannelName, data: [UInt8], isBinary: Bool = false) {
        self.sequence = sequence
        self.channel = channel
        self.data = data
        self.isBinary = isBinary
    }
}

/// What outlived the last run of the broker.
package struct StoredState: Sendable, Equatable {
    /// A session with its subscriptions.
    package struct Session: Sendable, Equatable {
        package let clientID: String
        package let patterns: [ChannelPattern]

        /// A stored session.
        package init(clientID: String, patterns: [ChannelPattern]) {
            self.clientID = clientID
            self.patterns = patterns
        }
    }
    /// Names this log; changes when the log starts anew.
    package let epoch: String
    package let sessions: [Session]

    /// The state of a store that was opened.
    package init(epoch: String, sessions: [Session]) {
        self.epoch = epoch
        self.sessions = sessions
    }
}

/// Why the store could not do something. `what` names the operation or file, `reason` what went wrong, `remedy` what helps.
package struct StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    package let what: String
    package let reason: String
    package let remedy: String?

    /// An error of the store.
    package init(what: String, reason: String, remedy: String? = nil) {
        self.what = what
        self.reason = reason
        self.remedy = remedy
    }

    package var description: String {
        "\(what): \(reason)" + (remedy.map { ". \($0)" } ?? "")
    }
}
