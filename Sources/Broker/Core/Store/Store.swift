/// What the broker keeps: the log of stored publications, what is derived from it, sessions and their subscriptions.
///
/// The one rule that everything else follows from: **operations that write take effect in the order in which they were
/// submitted, and their outcomes are handed over in that order.** A subscription's outcome therefore stands in the
/// stream of outcomes at one point of the log: what was published before it is the past, which is read up to that point
/// (`readBacklog`), what is published after it is live. Nothing is missed, nothing comes twice.
///
/// - *Atomicity*: an operation takes effect whole or not at all.
/// - *Durability*: an outcome is handed over only after what it tells of is as durable as it has to be (`Durability`),
///   as far as the store keeps anything at all.
/// - *Failure*: an operation that cannot be carried out has the outcome `failed`; later operations go on.
/// - *Reading* sees all whose outcomes were handed over before it was submitted; it does not hold up what writes, and
///   its outcomes may come in any order.
package protocol Store: Sendable {
    /// Opens the store, brings its schema up to date and reads what outlived the last run. Called once, before all else.
    ///
    /// `handler` is called with outcomes, from any thread, one call at a time, never from within `submit`'s caller's
    /// turn in a way that would need `submit` to return first.
    func open(handler: @escaping @Sendable ([StoreOutcome]) -> Void) throws(StoreError) -> StoredState

    /// Takes operations without waiting for them.
    func submit(_ operations: [StoreOperation])

    /// Carries out what was submitted and writes, and what is being read, then closes; blocks until that is done. What waits
    /// to be read fails. The last call.
    func close()
}

/// Connects an operation with its outcome; the submitter chooses it.
package typealias StoreTicket = UInt64

/// One thing for the store to do; each has exactly one outcome.
package indirect enum StoreOperation: Sendable {
    /// Gives a publication the next sequence number and keeps it as its retention says.
    case publish(StoreTicket, PublicationDraft)
    /// Adds subscriptions to a session, and the session, if it is new; without one, there is only the point in the log.
    case subscribe(StoreTicket, StoredState.Session?, [SubscriptionItem], wall: Int64)
    /// Removes subscriptions of a session; those that it does not have are passed over.
    case unsubscribe(StoreTicket, clientID: String, patterns: [ChannelPattern])
    /// Forgets a session and its subscriptions.
    case endSession(StoreTicket, clientID: String)
    /// Writes down how far sessions are known to have everything; those that are not stored are passed over.
    case moveCursors(StoreTicket, [SessionProgress])
    /// Changes nothing: its outcome comes after those of all that was submitted before it.
    case pass(StoreTicket)
    /// Writes something and removes it, to see whether that can be done.
    case probe(StoreTicket)
    /// Reads what subscribers want of the past; nothing when nobody wants it any more.
    case readBacklog(StoreTicket, BacklogRequest, for: ReadInterest = ReadInterest())
    /// Reads on in a backlog.
    case readOn(StoreTicket, BacklogPlan)
    /// Reads the retained message of a channel.
    case readRetained(StoreTicket, ChannelName, wall: Int64)
    /// Reads a page (`HistoryPage`) of at most `limit` publications of a channel's history, the oldest behind `after`.
    case readHistory(StoreTicket, ChannelName, after: UInt64, limit: Int, wall: Int64)

    /// The operation's ticket.
    package var ticket: StoreTicket {
        switch self {
        case .publish(let ticket, _), .subscribe(let ticket, _, _, _), .unsubscribe(let ticket, _, _),
            .endSession(let ticket, _), .moveCursors(let ticket, _), .pass(let ticket), .probe(let ticket),
            .readBacklog(let ticket, _, _), .readOn(let ticket, _), .readRetained(let ticket, _, _),
            .readHistory(let ticket, _, _, _, _):
            ticket
        }
    }

    /// Whether it only reads.
    package var isReading: Bool {
        switch self {
        case .readBacklog, .readOn, .readRetained, .readHistory: true
        case .publish, .subscribe, .unsubscribe, .endSession, .moveCursors, .pass, .probe: false
        }
    }
}

/// What became of an operation.
package enum StoreOutcome: Sendable, Equatable {
    /// The publication has this sequence number.
    case published(StoreTicket, sequence: UInt64)
    /// The subscriptions are there. What has a sequence number up to `through` is the past, the rest is live. Without
    /// `hasPast` there is nothing to be read of the past.
    case subscribed(StoreTicket, through: UInt64, hasPast: Bool)
    /// What a subscriber, or a reader of retained messages or history, gets.
    case backlog(StoreTicket, Backlog)
    /// Done, with nothing to tell.
    case done(StoreTicket)
    /// Not done, and without effect.
    case failed(StoreTicket, StoreError)

    /// The ticket of the operation that this is the outcome of.
    package var ticket: StoreTicket {
        switch self {
        case .published(let ticket, _), .subscribed(let ticket, _, _), .backlog(let ticket, _), .done(let ticket),
            .failed(let ticket, _):
            ticket
        }
    }
}

/// What an acknowledgement of a stored publication promises.
package enum Durability: String, Sendable, CaseIterable {
    /// Nothing is written: it is gone with the process.
    case memory
    /// It survives the end of the process, whatever ends it, but not the loss of power.
    case normal
    /// It survives the loss of power, too: it was synced before it was acknowledged.
    case full
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
    package let durability: Durability
    /// By what it is known when it is sent again.
    package let origin: PublicationOrigin?
    /// When it was published and when it is to be dropped, in milliseconds since 1970.
    package let publishedAt: Int64
    package let expiresAt: Int64?

    /// A publication for the store.
    package init(
        channel: ChannelName, data: [UInt8], isBinary: Bool = false, retention: Retention?, history: History? = nil,
        durability: Durability = .normal, origin: PublicationOrigin? = nil, publishedAt: Int64, expiresAt: Int64?
    ) {
        self.channel = channel
        self.data = data
        self.isBinary = isBinary
        self.retention = retention
        self.history = history
        self.durability = durability
        self.origin = origin
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

/// By what a publication is known that is sent again because its sender missed the acknowledgement.
package enum PublicationOrigin: Sendable, Equatable {
    /// A session's, with a hash of its id, channel and data.
    case session(clientID: String, fingerprint: UInt64)
    /// A request's with an `Idempotency-Key`: the subject of its token if there was one, a hash of its data, and what its
    /// answer calls the publication. Of what an older version has stored there is no hash.
    case request(key: String, subject: String? = nil, fingerprint: UInt64? = nil, receipt: String)
}

/// What outlived the last run of the broker.
package struct StoredState: Sendable, Equatable {
    /// A session with its subscriptions.
    package struct Session: Sendable, Equatable {
        package let clientID: String
        /// What it is subscribed to, each with the end of the log when it was.
        package var subscriptions: [ChannelPattern: UInt64]
        /// Up to where in the log its client is known to have everything.
        package let cursor: UInt64
        /// Whether it uses the acknowledgement extension.
        package let acknowledges: Bool
        /// What its subscriptions asked for of the past and its client may not have.
        package var replays: [ChannelPattern: PendingReplay]
        /// Of a session that subscribes: the number of the replay that comes of it.
        package var part: Int64 = 0

        /// A stored session.
        package init(
            clientID: String, subscriptions: [ChannelPattern: UInt64] = [:], cursor: UInt64 = 0,
            acknowledges: Bool = false, replays: [ChannelPattern: PendingReplay] = [:]
        ) {
            self.clientID = clientID
            self.subscriptions = subscriptions
            self.cursor = cursor
            self.acknowledges = acknowledges
            self.replays = replays
        }
    }

    /// A publication that may be sent again.
    package struct Recent: Sendable, Equatable {
        package let origin: PublicationOrigin
        package let channel: ChannelName
        package let sequence: UInt64
        /// In milliseconds since 1970.
        package let publishedAt: Int64

        /// A recent publication.
        package init(origin: PublicationOrigin, channel: ChannelName, sequence: UInt64, publishedAt: Int64) {
            self.origin = origin
            self.channel = channel
            self.sequence = sequence
            self.publishedAt = publishedAt
        }
    }
    /// Names this log; changes when the log starts anew.
    package let epoch: String
    /// The last sequence number that was given.
    package var lastSequence: UInt64
    package let sessions: [Session]
    /// In order of sequence numbers.
    package let recent: [Recent]

    /// The state of a store that was opened.
    package init(epoch: String, lastSequence: UInt64 = 0, sessions: [Session] = [], recent: [Recent] = []) {
        self.epoch = epoch
        self.lastSequence = lastSequence
        self.sessions = sessions
        self.recent = recent
    }
}

/// Why the store could not do something. `what` names the operation or file, `reason` what went wrong, `remedy` what helps.
package struct StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong, for counters and status codes.
    package enum Kind: String, Sendable, CaseIterable {
        /// There is no room on the disk.
        case full
        /// The file may not be written to.
        case readOnly = "read_only"
        /// The file's content is damaged.
        case corrupt
        /// The disk fails.
        case failedIO = "io"
        /// The disk failed when it had to sync: from then on nothing is taken until the broker is started again.
        case failedSync = "sync"
        /// The file is not there any more.
        case removed
        /// Another program has locked it.
        case busy
        /// The file cannot be had at all.
        case unavailable
        case other
    }
    package let kind: Kind
    package let what: String
    package let reason: String
    package let remedy: String?

    /// An error of the store.
    package init(_ kind: Kind = .other, what: String, reason: String, remedy: String? = nil) {
        self.kind = kind
        self.what = what
        self.reason = reason
        self.remedy = remedy
    }

    package var description: String {
        "\(what): \(reason)" + (remedy.map { ". \($0)" } ?? "")
    }
}
