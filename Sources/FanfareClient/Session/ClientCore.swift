import BrokerCore
import NIOCore

/// A Bayeux session over as many connections as it takes. Lives on one event loop.
///
/// Nothing is written while the driver is at work: what there is to say waits in `outgoing` until `flush`.
final class ClientCore {
    enum Phase {
        case idle, dialing, shakingHands, resuming, open, waiting, closing, closed
    }
    /// What the broker was asked, and has not answered.
    struct Request {
        enum Kind {
            case handshake, connect, disconnect
            /// `refusal`: what the broker has answered, if the subscription is asked for again before long.
            case subscribe(SubscriptionGroup, refusal: ClientError?)
            case unsubscribe([String], EventLoopPromise<Void>)
            case service(channel: String, EventLoopPromise<Message>)
        }
        let kind: Kind
        let sentAt: NIODeadline

        /// Whether it is answered at once. A connect is held, and a farewell is not waited for like that.
        var hasDeadline: Bool {
            switch kind {
            case .connect, .disconnect: false
            case .handshake, .subscribe, .unsubscribe, .service: true
            }
        }
    }

    let configuration: ClientConfiguration
    let loop: any EventLoop
    let shared: ClientShared
    var phase = Phase.idle
    var handler: (any ClientTransport)?
    /// Begins to connect; it ends with `connectionOpened` or `connectionFailed`.
    private let connect: (ClientCore) -> Void
    var clientID: String?
    var requests: [String: Request] = [:]
    var lastRequest = 0
    var outgoing: [[UInt8]] = []
    var groups: [SubscriptionGroup] = []
    var hasUnsubscribed = false
    /// What ended without the broker's answer: a session that goes on may still have it.
    var endedTexts: Set<String> = []
    var publications = PublicationQueue()
    /// Looks after the answers that are missing.
    var answerCheck: Scheduled<Void>?
    /// Since when answers would have been read.
    var readingSince = NIODeadline.distantPast
    /// Requests to services that wait for the session.
    var services: [(channel: String, data: [UInt8], promise: EventLoopPromise<Message>)] = []
    var envelopes: [Envelope] = []
    var failureCount = 0
    var hasBeenOpen = false
    /// Since when there is no session that works.
    var outageBegan: NIODeadline
    var openedAt: NIODeadline?
    /// What the broker wants to be waited for before the next attempt.
    var advisedInterval = Duration.zero
    var timer: Scheduled<Void>?
    var ready: [EventLoopPromise<Void>] = []
    var closed: [EventLoopPromise<Void>] = []
    var acknowledgedBatch: Int64?
    /// The caller's credential; one of a source is nil until it is there.
    var token: String?
    /// Whether the broker has not been shown it yet.
    var isTokenNew = false
    var isFetchingToken = false
    /// Whether the handshake waits for a token.
    var awaitsToken = false
    /// Tokens that the broker has refused since a session was open.
    var tokenRefusals = 0
    /// The next token, when its time has come.
    var renewal: Scheduled<Void>?
    /// Begins to ask the source; it ends with `tokenFetched` or `tokenFailed`.
    let fetchToken: (ClientCore) -> Void
    /// Why the session ended while the driver was at work.
    var pendingEnd: ClientError?

    init(
        _ configuration: ClientConfiguration, loop: any EventLoop, shared: ClientShared,
        fetchToken: @escaping (ClientCore) -> Void, connect: @escaping (ClientCore) -> Void
    ) {
        self.configuration = configuration
        self.fetchToken = fetchToken
        token = configuration.tokenSource == nil ? configuration.token : nil
        self.loop = loop
        self.shared = shared
        self.connect = connect
        outageBegan = loop.now
    }

    var maximumOutage: Duration? { hasBeenOpen ? configuration.maximumOutage : configuration.maximumFirstOutage }

    func start() {
        guard phase == .idle else { return }
        outageBegan = loop.now
        dial()
    }

    private func dial() {
        phase = .dialing
        shared.tell(.connecting)
        connect(self)
    }

    /// No connection came about.
    func connectionFailed(_ error: ClientError) {
        guard phase == .dialing else { return }
        lose(error)
    }

    /// The connection is gone, or did not come about.
    private func lose(_ error: ClientError) {
        guard phase != .closed, phase != .waiting else { return }
        handler = nil
        outgoing = []
        if phase == .closing { return end(nil) }
        if phase == .open { outageBegan = loop.now }
        let now = loop.now
        if let openedAt, now - openedAt >= .nanoseconds(configuration.backoff.resetAfter.nanoseconds) {
            failureCount = 0
        }
        openedAt = nil
        publications.loseConnection()
        failRequests(error)
        if error.kind == .denied || error.kind == .refused || error.kind == .protocolFailure { return end(error) }
        var generator = SystemRandomNumberGenerator()
        var delay = configuration.backoff.delay(
            afterFailures: failureCount, floor: advisedInterval, using: &generator)
        if let maximumOutage {
            let left = maximumOutage - .nanoseconds((now - outageBegan).nanoseconds)
            guard left > .zero else { return end(error) }
            delay = min(delay, left)
        }
        failureCount += 1
        advisedInterval = .zero
        phase = .waiting
        shared.tell(.disconnected(error, retryAfter: delay))
        let bound = NIOLoopBound(self, eventLoop: loop)
        timer = loop.scheduleTask(in: .nanoseconds(delay.nanoseconds)) {
            guard bound.value.phase == .waiting else { return }
            bound.value.dial()
        }
    }

    /// Requests that only this connection could answer. Subscriptions are asked for again.
    private func failRequests(_ error: ClientError) {
        let old = requests
        requests = [:]
        for request in old.values {
            switch request.kind {
            case .unsubscribe(let texts, let promise): giveUp(unsubscribing: texts, promise)
            case .service(_, let promise): promise.fail(error)
            case .handshake, .connect, .disconnect, .subscribe: break
            }
        }
    }

    /// The broker has not answered: a session that goes on may still have them.
    func giveUp(unsubscribing texts: [String], _ promise: EventLoopPromise<Void>) {
        endedTexts.formUnion(texts)
        promise.succeed()
    }

    /// It is over.
    func end(_ error: ClientError?) {
        guard phase != .closed else { return }
        phase = .closed
        timer?.cancel()
        answerCheck?.cancel()
        renewal?.cancel()
        handler?.close()
        handler = nil
        let failure = error ?? .clientClosed
        failRequests(failure)
        for service in services { service.promise.fail(failure) }
        services = []
        publications.fail(failure)
        for group in groups {
            group.answered?.fail(failure)
            group.answered = nil
            group.deliver()
            group.buffer.finish(error)
        }
        groups = []
        for promise in ready { promise.fail(failure) }
        for promise in closed { promise.succeed() }
        (ready, closed) = ([], [])
        shared.tell(.closed(error))
    }
}

/// What the connection tells.
extension ClientCore: ConnectionOwner {
    func connectionBegan(_ transport: any ClientTransport) -> Bool {
        guard handler == nil, phase == .dialing else { return false }
        handler = transport
        return true
    }

    func connectionOpened() {
        openedAt = loop.now
        if clientID == nil {
            shakeHands()
        } else {
            phase = .resuming
            sendConnect()
        }
    }

    func connectionReceived(_ text: RawSpan) {
        do {
            try EnvelopeScanner(limits: EnvelopeLimits(maximumMessages: .max)).scan(text, into: &envelopes)
        } catch {
            pendingEnd = ClientError(.protocolFailure, "what answers does not speak Bayeux: \(error)")
            return
        }
        for envelope in envelopes { receive(envelope, text) }
    }

    func connectionReadCompleted() {
        for group in groups { group.deliver() }
        if let error = pendingEnd {
            pendingEnd = nil
            return end(error)
        }
        flush()
        if mustPause { handler?.pause(true) }
    }

    /// Whether too much waits for its readers. It may be much more while somebody waits for an answer, who may be the one
    /// that reads.
    private var mustPause: Bool {
        let most = configuration.maximumBufferedBytes
        return shared.bufferedBytes > (awaitsAnswer ? 8 * min(most, .max / 8) : most)
    }

    /// Whether somebody waits for an answer. Who reads messages may be the one, and not read on before it is there.
    private var awaitsAnswer: Bool {
        if !publications.isEmpty { return true }
        return requests.values.contains { if case .connect = $0.kind { false } else { true } }
    }

    func connectionClosed(_ error: ClientError) {
        for group in groups { group.deliver() }
        if let end = pendingEnd {
            pendingEnd = nil
            return self.end(end)
        }
        lose(error)
    }

    /// Writes what there is to say, and publications as far as the window has room.
    func flush() {
        guard let handler else { return }
        // The answer comes behind what was not read.
        if awaitsAnswer, !mustPause { readOn() }
        let texts = outgoing
        outgoing = []
        for text in texts { handler.send(text) }
        if phase == .open, let clientID {
            let (window, now) = (configuration.window, loop.now)
            while let batch = publications.nextBatch(window: window, clientID: clientID, now: now) {
                handler.send(batch)
            }
        }
        watchAnswers()
    }

    /// Readers have taken what was buffered.
    func resumeReading() {
        readOn()
    }
}
