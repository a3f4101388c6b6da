/// A client that has shaken hands: what it is subscribed to, how it is reached, what waits for it.
///
/// It outlives its connections, until twice the timeout has passed since its last `/meta/connect` arrived.
///
/// Its properties belong to the router, whose methods never run inside each other: the runtime need not check it.
final class Session {
    /// What is gathered for the time when it has ended.
    struct Record {
        /// ms since 1970
        let startedAt: Int64
        var lost: EndedSession.LostConnection?
        var transport = EndedSession.Transport.none
        var address = AddressClass.unknown
        /// Whether something is missing of what it catches up with.
        var missedSome = false
        var publishedCount: UInt64 = 0
        var droppedCount: UInt64 = 0

        init(startedAt: Int64) { self.startedAt = startedAt }

        /// A sign of life came beside an event stream, by which its client is reached all the same.
        mutating func beat(_ peer: Peer) {
            if transport != .eventsource { connect(peer) }
        }

        /// Its client has come.
        mutating func connect(_ peer: Peer) {
            transport =
                switch peer.kind {
                case .socket: .websocket
                case .exchange: .http
                case .stream: .eventsource
                }
            address = peer.address
            lost = nil
        }
    }
    /// What the store knows of it; it learns of a session with the first subscription.
    enum Storage {
        case unknown
        /// It was told, and has not answered yet, or has not taken it.
        case told
        case stored

        /// The store is told of it.
        mutating func tell() {
            if self == .unknown { self = .told }
        }
    }
    /// How its connection takes messages: they wait unless it is ready.
    enum Uptake {
        case ready
        /// What waits is held back until the connection has taken what one batch has brought.
        case heldBack
        /// The connection does not take messages fast enough.
        case congested

        /// What waits is held back; of a slow connection it is anyway.
        mutating func holdBack() {
            if self == .ready { self = .heldBack }
        }
    }
    /// Who may do what with it.
    struct Rights {
        /// Whose it is, if a token said so.
        var principal: Principal?
        /// When that ends (ns, monotonic).
        var end = UInt64.max
        /// How often it was asked again what it may be subscribed to.
        var reviewCount: Int32 = 0
        /// Whether they have ended: until a new token comes nothing goes out.
        var isSuspended = false
        /// Whether a web page began it, or it is not known who did.
        var isBrowser = true
        /// Whether it is one of before the broker was started again, whose rights are not known.
        var mustBeReviewed = false

        /// Who asks in its name.
        var caller: Caller { Caller(principal: principal, isBrowser: isBrowser) }
        /// When they end, if they have not.
        var deadline: UInt64? { isSuspended ? nil : end }
    }
    // In an order that leaves few gaps in memory: small ones follow those that do not end on a word.
    let clientID: String
    /// The session's place in the router's tables.
    let handle: SubscriptionTable.Subscriber
    /// Whether it is only there for one connection, and ends with it.
    let isEphemeral: Bool
    var storage = Storage.unknown
    var uptake = Uptake.ready
    /// Whether a connect has been answered since the handshake: the first one is answered at once.
    var hasConnected = false
    /// Whether what it was bound to last is an event stream: its connects come beside that, and are not held.
    var hasStream = false
    /// Whether its next connect is answered at once, so that another one says how much it has.
    var wantsConfirmation = false
    /// Subscriptions that the store is working on.
    var claimedCount: Int32 = 0
    /// Subscribes that the store is working on.
    var subscribeCount: Int32 = 0
    /// Subscriptions that it has or has claimed.
    var heldCount: Int { subscriptions.count + Int(claimedCount) }
    /// How often the store is being told that replays have become one: until it is through none begins.
    var joinCount: Int32 = 0
    var subscriptions = SessionSubscriptions()
    @exclusivity(unchecked) var link = SessionLink.away
    @exclusivity(unchecked) var queue = MessageQueue()
    /// Of one that is only there for one connection: that one, as long as the store has not answered.
    var awaitedStream: ConnectionID?
    /// When the session ends unless a connect arrives (ns, monotonic).
    var expiresAt: UInt64
    /// What the client has not acknowledged, if it uses CometD's acknowledgement extension.
    @exclusivity(unchecked) var acknowledgements: Acknowledgements?
    /// What it was found to weigh last, in the weight of all.
    var countedWeight = 0
    @exclusivity(unchecked) var recentIDs = RecentIDs()
    @exclusivity(unchecked) private var boxedCatchUp = OptionalBox<CatchUp>()
    /// Up to where in the log its client is known to have everything.
    var cursor: UInt64
    /// Up to where the client had everything when its last connect was answered: with the next one it says so. Of a client
    /// with an event stream, what it has when the doubt ends.
    var answeredPosition: UInt64
    /// When what was written to its event stream before `answeredPosition` was noted has arrived (ns, monotonic).
    var doubtEndsAt = UInt64.max
    /// How far its client has come with what its subscriptions asked for of the past.
    var replays = ReplayProgress()
    /// Subscriptions that the store could not take.
    var unsaved: Set<ChannelPattern> = []
    /// What its handshake asked for of the past.
    var replayPoints = ReplayPoints()
    var rights = Rights()
    /// Where its client was when it came last, as far as that counts for limits.
    var address: IPAddress?
    private var boxedWaitsAt = OptionalBox<IPAddress>()
    /// What is remembered when it has ended.
    @exclusivity(unchecked) var record: Record
    /// How much it has done of what is limited.
    @exclusivity(unchecked) var usage = SessionUsage()
    /// The earliest deadline of this session that is in the router's queue of deadlines.
    var scheduledDeadline = UInt64.max

    init(
        clientID: String, handle: SubscriptionTable.Subscriber, expiresAt: UInt64, position: UInt64, isEphemeral: Bool,
        startedAt: Int64
    ) {
        record = Record(startedAt: startedAt)
        cursor = position
        answeredPosition = position
        self.clientID = clientID
        self.handle = handle
        self.isEphemeral = isEphemeral
        self.expiresAt = expiresAt
    }

    /// What it has to get from the log before anything newer.
    var catchUp: CatchUp? {
        _read { yield boxedCatchUp.value }
        _modify { yield &boxedCatchUp.value }
    }

    /// The neighbourhood of addresses in whose line it waits (`ReadShares`).
    var waitsAt: IPAddress? {
        get { boxedWaitsAt.value }
        set { boxedWaitsAt.value = newValue }
    }

    /// A connect is answered, with which the client has everything live up to `position`, and what was sent of its replays.
    func noteAnswer(position: UInt64) {
        answeredPosition = position
        replays.answer()
    }

    /// Whether this is the session's client id. No copy is made of one that was written plainly.
    func isNamed(by slice: JSONSlice, in text: RawSpan) -> Bool {
        guard slice.kind == .string else {
            return slice.string(in: text)?.utf8.elementsEqual(clientID.utf8) ?? false
        }
        return text.extracting(slice.range.dropFirst().dropLast()).holdsSame(as: clientID.utf8.span.bytes)
    }

    /// What comes first: the end of the held connect, of the session's rights or of the session.
    var nextDeadline: UInt64 { min(expiresAt, link.deadline ?? .max, rights.deadline ?? .max) }
}
