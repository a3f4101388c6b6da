import BrokerCore
import NIOCore

/// What the session says, and what it is told.
extension ClientCore {
    /// Queues a message to the broker.
    @discardableResult
    private func send(_ channel: String, _ kind: Request.Kind, _ fields: [UInt8] = []) -> String {
        lastRequest += 1
        let id = "m\(lastRequest)"
        var text = Array(#"[{"channel":"#.utf8)
        text.append(jsonString: channel)
        text += #","id":"\#(id)""#.utf8
        if let clientID {
            text += #","clientId":"#.utf8
            text.append(jsonString: clientID)
        }
        if !fields.isEmpty {
            text.append(UInt8(ascii: ","))
            text += fields
        }
        text += "}]".utf8
        requests[id] = Request(kind: kind, sentAt: loop.now)
        outgoing.append(text)
        return id
    }

    func shakeHands() {
        clientID = nil
        endedTexts = []
        acknowledgedBatch = nil
        phase = .shakingHands
        awaitsToken = token == nil && configuration.tokenSource != nil
        if awaitsToken { return askForToken() }
        isTokenNew = false
        let fields = Array(#""version":"1.0","supportedConnectionTypes":["websocket"]"#.utf8)
        var ext: [[UInt8]] = []
        if configuration.acknowledgesMessages { ext.append(Array(#""ack":true"#.utf8)) }
        if let token { ext.append(Self.member(token: token)) }
        send("/meta/handshake", .handshake, fields + Self.members(ext: ext))
    }

    /// A connect; one that is held is answered for it, and that answer means nothing any more.
    func sendConnect() {
        for (id, request) in requests { if case .connect = request.kind { requests[id] = nil } }
        var ext: [[UInt8]] = []
        if let acknowledgedBatch { ext.append(Array(#""ack":\#(acknowledgedBatch)"#.utf8)) }
        if isTokenNew, let token { ext.append(Self.member(token: token)) }
        isTokenNew = false
        var fields = Array(#""connectionType":"websocket""#.utf8) + Self.members(ext: ext)
        // What waits to be sent waits for this answer, which is held otherwise when the client acknowledges.
        if phase == .resuming { fields += #","advice":{"timeout":0}"#.utf8 }
        send("/meta/connect", .connect, fields)
    }

    private static func member(token: String) -> [UInt8] {
        var member = Array(#""token":"#.utf8)
        member.append(jsonString: token)
        return member
    }

    /// The member `ext` with its own members, behind a comma; nothing without them.
    private static func members(ext: [[UInt8]]) -> [UInt8] {
        ext.isEmpty ? [] : Array(#","ext":{"#.utf8) + ext.joined(separator: ",".utf8) + "}".utf8
    }

    func sendSubscribe(_ group: SubscriptionGroup) {
        // One that was refused need not be waited for.
        if let id = group.requestID { requests[id] = nil }
        var ext: [[UInt8]] = []
        if let number = group.replayNumber {
            ext.append(Self.list(#""replay":{"#, group.texts, ":\(number)", "}"))
        }
        if group.tokenTrial == .repeated, let token { ext.append(Self.member(token: token)) }
        let fields = Self.member(subscription: group.texts) + Self.members(ext: ext)
        group.requestID = send("/meta/subscribe", .subscribe(group, refusal: nil), fields)
    }

    /// The member `subscription` with these patterns.
    private static func member(subscription texts: [String]) -> [UInt8] {
        list(#""subscription":["#, texts, "", "]")
    }

    /// Strings, each with what stands behind it, between two brackets.
    private static func list(_ open: String, _ texts: [String], _ value: String, _ close: String) -> [UInt8] {
        var list = Array(open.utf8)
        for (index, text) in texts.enumerated() {
            if index > 0 { list.append(UInt8(ascii: ",")) }
            list.append(jsonString: text)
            list += value.utf8
        }
        return list + close.utf8
    }

    func sendUnsubscribe(_ group: SubscriptionGroup, _ promise: EventLoopPromise<Void>) {
        leave(group, promise)
        flush()
    }

    /// Ends a subscription, for the reason given if there is one; the broker has ended that to `pattern` itself.
    private func leave(
        _ group: SubscriptionGroup, _ promise: EventLoopPromise<Void>, without pattern: String? = nil,
        because error: ClientError? = nil
    ) {
        if let id = group.requestID { requests[id] = nil }
        // What another subscription needs as well is kept.
        let others = Set(groups.flatMap { $0 === group ? [] : $0.texts })
        groups.removeAll { $0 === group }
        hasUnsubscribed = true
        group.buffer.finish(error)
        let texts = group.texts.filter { !others.contains($0) && $0 != pattern }
        guard phase == .open else {
            endedTexts.formUnion(texts)
            return promise.succeed()
        }
        sendUnsubscribe(texts, promise)
    }

    /// Ends a subscription that has come to nothing. The broker may have some of its channels: when it refuses one it
    /// keeps what came before that.
    func end(_ group: SubscriptionGroup, _ error: ClientError) {
        leave(group, loop.makePromise(), because: error)
        group.answered?.fail(error)
        group.answered = nil
    }

    private func sendUnsubscribe(_ texts: [String], _ promise: EventLoopPromise<Void>) {
        if texts.isEmpty { return promise.succeed() }
        send("/meta/unsubscribe", .unsubscribe(texts, promise), Self.member(subscription: texts))
    }

    /// Ends what ended during an outage, unless it was subscribed to again.
    private func sendEnded() {
        let texts = endedTexts.subtracting(groups.flatMap(\.texts))
        endedTexts = []
        sendUnsubscribe(texts.sorted(), loop.makePromise())
    }

    /// The broker has taken a subscription away: whoever reads it is told why, behind what had come.
    private func receiveEnd(of pattern: String?, _ error: ClientError) {
        guard let pattern else { return }
        for group in groups where group.answered == nil && group.texts.contains(pattern) {
            group.deliver()
            leave(group, loop.makePromise(), without: pattern, because: error)
        }
    }

    func sendService(_ channel: String, _ data: [UInt8], _ promise: EventLoopPromise<Message>) {
        send(channel, .service(channel: channel, promise), Array(#""data":"#.utf8) + data)
    }

    func sendDisconnect() {
        send("/meta/disconnect", .disconnect)
        flush()
    }

    func receive(_ envelope: Envelope, _ text: RawSpan) {
        if envelope.successful.isAbsent, !envelope.data.isAbsent || envelope.id.isAbsent {
            if !envelope.channel.isAbsent { deliver(envelope, text) }
            return
        }
        if envelope.id.kind == .string, let id = envelope.id.string(in: text), id.first == "m",
            let request = requests.removeValue(forKey: id)
        {
            return receiveReply(to: request, id, envelope, text)
        }
        guard !envelope.successful.isAbsent else { return }
        if envelope.id.isAbsent, envelope.channel.equals("/meta/unsubscribe", in: text) {
            return receiveEnd(
                of: envelope.subscription.string(in: text), .refused(envelope.error.string(in: text)))
        }
        let outcome: PublicationOutcome =
            envelope.successful.bool == true
            ? .success(PublicationReceipt(envelope.ext, of: text)) : .failure(.refused(envelope.error.string(in: text)))
        publications.settle(id: envelope.id, of: text, outcome, now: loop.now)
    }

    private func deliver(_ envelope: Envelope, _ text: RawSpan) {
        let message = Message(envelope, of: text)
        if groups.count == 1, !hasUnsubscribed { return give(message, to: groups[0]) }
        if message.gap != nil { return groups.forEach { $0.receiveGap(message) } }
        guard let name = try? ChannelName(message.channel, grammar: .cometd, maximumBytes: .max) else { return }
        for group in groups where group.matches(name) { give(message, to: group) }
    }

    private func give(_ message: Message, to group: SubscriptionGroup) {
        group.receive(message)
        guard group.mustAskAgain else { return }
        group.mustAskAgain = false
        // A session that begins, or goes on, asks by itself.
        if phase == .open { sendSubscribe(group) }
    }

    private func receiveReply(to request: Request, _ id: String, _ envelope: Envelope, _ text: RawSpan) {
        let isSuccessful = envelope.successful.bool == true
        let error = ClientError.refused(envelope.error.string(in: text))
        switch request.kind {
        case .handshake: receiveHandshake(envelope, text, isSuccessful)
        case .connect: receiveConnect(envelope, text, isSuccessful)
        case .disconnect:
            let bound = NIOLoopBound(self, eventLoop: loop)
            loop.execute { bound.value.end(nil) }
        case .subscribe(let group, _):
            if isSuccessful {
                group.acceptAnswer(behind: groups.compactMap(\.position).max())
            } else if error.code == 401, isAskedAgain(group, after: error) {
                requests[id] = Request(kind: .subscribe(group, refusal: error), sentAt: request.sentAt)
            } else {
                end(group, error)
            }
        case .unsubscribe(_, let promise):
            promise.succeed()
        case .service(_, let promise):
            if envelope.successful.bool == false {
                promise.fail(error)
            } else {
                promise.succeed(Message(envelope, of: text))
            }
        }
    }

    /// Whether a subscription that was refused for want of a session, or of a token, gets another chance.
    private func isAskedAgain(_ group: SubscriptionGroup, after refusal: ClientError) -> Bool {
        // The broker has forgotten the session: the connect is answered with the same, and another one begins.
        if let clientID, refusal.answer?.hasPrefix("401:\(clientID):") == true { return true }
        return tokenRefused(for: group)
    }

    private func receiveHandshake(_ envelope: Envelope, _ text: RawSpan, _ isSuccessful: Bool) {
        let advice = ReceivedAdvice(envelope, text)
        let answer = envelope.error.string(in: text) ?? "no reason"
        guard isSuccessful, let clientID = envelope.clientId.string(in: text) else {
            if tokenRefused(answer) { return beginAgain(after: advice.interval) }
            let code = Int(answer.prefix(3)) ?? 0
            let isForGood = advice.reconnect == "none" || advice.reconnect == nil || (301...403).contains(code)
            if isForGood {
                pendingEnd = ClientError(
                    .denied, "the broker refused the handshake: \(answer)", answer: answer)
            } else {
                advisedInterval = advice.interval
                after(advice.interval) { $0.shakeHands() }
            }
            return
        }
        self.clientID = clientID
        open(resumed: false)
        for group in groups {
            group.beginSession()
            sendSubscribe(group)
        }
        sendConnect()
    }

    private func receiveConnect(_ envelope: Envelope, _ text: RawSpan, _ isSuccessful: Bool) {
        let advice = ReceivedAdvice(envelope, text)
        if envelope.ext.kind == .object, let batch = envelope.ext.member("ack", in: text).integer(in: text) {
            acknowledgedBatch = batch
        }
        if isSuccessful {
            if phase == .resuming {
                open(resumed: true)
                sendEnded()
                // Their replies may have been lost. With replays the broker goes on by itself.
                for group in groups where !group.isActive || group.awaitsRestart {
                    sendSubscribe(group)
                }
            }
            guard phase != .closing else { return }
            if advice.reconnect == "none" {
                pendingEnd = ClientError(.denied, "the broker ended the session")
                return
            }
            // Another connect may have been refused meanwhile: then a handshake is under way.
            return after(advice.interval) { if $0.phase == .open { $0.sendConnect() } }
        }
        let answer = envelope.error.string(in: text) ?? "no reason"
        let isRenewed = phase != .closing && tokenRefused(answer)
        guard advice.reconnect != "none" || phase == .closing || isRenewed else {
            pendingEnd = ClientError(.denied, "the broker ended the session: \(answer)", answer: answer)
            return
        }
        guard phase != .closing else { return }
        // What was asked in that session is asked again in the next one.
        requests = requests.filter { if case .subscribe = $0.value.kind { false } else { true } }
        publications.loseConnection()
        if phase == .open { outageBegan = loop.now }
        phase = .shakingHands
        isRenewed ? beginAgain(after: advice.interval) : after(advice.interval) { $0.shakeHands() }
    }

    /// A handshake with another token, after a moment: who has refused one may refuse the next.
    private func beginAgain(after interval: Duration) {
        var generator = SystemRandomNumberGenerator()
        let delay = configuration.backoff.delay(afterFailures: tokenRefusals, floor: interval, using: &generator)
        after(delay) { $0.shakeHands() }
    }

    private func open(resumed: Bool) {
        phase = .open
        hasBeenOpen = true
        tokenRefusals = 0
        shared.tell(.connected(clientID: clientID ?? "", resumed: resumed))
        for promise in ready { promise.succeed() }
        ready = []
        for service in services { sendService(service.channel, service.data, service.promise) }
        services = []
    }

    /// Does something when the broker's interval is over, if the connection is still the same.
    private func after(_ interval: Duration, _ action: @escaping @Sendable (ClientCore) -> Void) {
        guard interval > .zero else { return action(self) }
        let bound = NIOLoopBound((self, handler), eventLoop: loop)
        loop.scheduleTask(in: .nanoseconds(interval.nanoseconds)) {
            let (core, handler) = bound.value
            guard let handler, core.handler === handler, core.phase != .closed, core.phase != .closing else { return }
            action(core)
            core.flush()
        }
    }
}

/// What a reply advises (Bayeux 1.0 §8).
struct ReceivedAdvice {
    let reconnect: String?
    let interval: Duration

    init(_ envelope: Envelope, _ text: RawSpan) {
        guard envelope.advice.kind == .object else {
            (reconnect, interval) = (nil, .zero)
            return
        }
        reconnect = envelope.advice.member("reconnect", in: text).string(in: text)
        let milliseconds = envelope.advice.member("interval", in: text).integer(in: text) ?? 0
        interval = .milliseconds(min(max(milliseconds, 0), 3_600_000))
    }
}
