/// Publications: their checks, their way through the store, and who gets them.
extension Router {
    /// A message on any channel that is not one of the meta channels (Bayeux 1.0 §5.1).
    mutating func publish(_ request: Request, text: RawSpan, now: Moment, into outbox: inout Outbox) {
        var error = ReplyError(sentIn: request, text: text)
        let name = channelName(of: request.envelope.channel, text: text)
        switch name {
        case .failure(let refusal): error = .bayeux(refusal)
        case .success(let name):
            if name.isMeta {
                return reply(to: request, text: text, .bayeux(.forbidden(name.text)), into: &outbox)
            }
        }
        let data = request.envelope.data
        if data.isAbsent { error = .bayeux(.missing("data")) }
        guard error == nil, case .success(let channel) = name else {
            return reply(to: request, text: text, error, into: &outbox)
        }
        if rates != nil, let excess = excess(ofPublishing: request, text: text, now: now) {
            return reply(to: request, text: text, .bayeux(excess), into: &outbox)
        }
        if rules != nil, let refusal = refusal(ofPublishing: request, to: channel, text: text, now: now, into: &outbox)
        {
            return reply(to: request, text: text, .bayeux(refusal), into: &outbox)
        }
        if channel.isService { return callService(channel, request, text: text, into: &outbox) }

        let sender = sender(of: request, text: text)
        if let sender, sender.session.recentIDs.contains(sender.id) {
            return acknowledgeRepeated(request, from: sender, text: text, into: &outbox)
        }
        let policy = policies.isEmpty ? ChannelPolicy() : policies.policy(for: channel)
        if let excess = excess(ofPublishing: Int(data.count), to: channel, under: policy, now: now) {
            return reply(to: request, text: text, .bayeux(excess), into: &outbox)
        }
        if let sender {
            sender.session.recentIDs.insert(sender.id)
            sender.session.record.publishedCount += 1
        }
        let options = PublishOptions(ext: request.envelope.ext, text: text)
        let excluded = options.noEcho ? session(of: request, text: text).success?.handle : nil
        let isStored = options.retain || policy.isStored
        guard isStored || options.wantsReceipt || mustQueueBehindStore(request.peer.connection) else {
            reply(to: request, text: text, nil, into: &outbox)
            tellPublish(request, text: text, channel, into: &outbox)
            let destinations = destinations(of: channel, excluding: excluded)
            // What nobody gets is not even put together.
            if destinations.count > 0 {
                let publication = Publication(
                    channel: channel, data: text.extracting(data.range), options: options, policy: policy)
                send(publication, to: destinations, into: &outbox)
            }
            if let trace = options.trace {
                outbox.append(.traced(.init(trace: trace, sequence: nil, matchedCount: destinations.count)))
            }
            return
        }
        let publisher = BayeuxPublisher(
            request, text: text, sender: sender, excluded: excluded, wantsReceipt: options.wantsReceipt,
            trace: options.trace)
        if isStored {
            let origin = sender.map {
                PublicationOrigin.session(clientID: $0.session.clientID, fingerprint: $0.id.value)
            }
            let draft = PublicationDraft(
                channel: channel, data: data, text: text, options: options, policy: policy, origin: origin, now: now)
            if let sender { keep(sender.session, now: now, into: &outbox) }
            tellPublish(request, text: text, channel, into: &outbox)
            return store(draft, from: .bayeux(publisher), into: &outbox)
        }
        let publication = Publication(
            channel: channel, data: text.extracting(data.range), options: options, policy: policy)
        tellPublish(request, text: text, channel, into: &outbox)
        pass(.init(channel: channel, publication: publication), from: publisher, into: &outbox)
    }

    /// The session and the id that a publication names, if there are such ones.
    private func sender(of request: Request, text: RawSpan) -> BayeuxPublisher.Sender? {
        guard request.envelope.clientId.isString, request.envelope.id.isTruthy(in: text) else { return nil }
        return knownSession(of: request, text: text).map {
            .init(session: $0, id: RecentIDs.ID(request.envelope, text: text))
        }
    }

    /// A publication that is not stored waits for the store, because its connection's earlier ones do.
    private mutating func pass(
        _ passing: PassingPublication?, from publisher: BayeuxPublisher, into outbox: inout Outbox
    ) {
        guard !storeIsBusy else {
            // That one is not acknowledged once more says nothing of the first one.
            guard let passing else {
                return reply(to: publisher.peer, head: publisher.replyHead, .publishFailed(""), into: &outbox)
            }
            return refuse(.bayeux(publisher), .publishFailed(passing.channel.text), into: &outbox)
        }
        submit(.pass(publisher, passing), for: publisher.peer.connection, to: &outbox) { .pass($0) }
    }

    /// The client has sent this very publication before and missed the acknowledgement. It gets it once more, but not
    /// before the first one is decided, which may still be in the store.
    private mutating func acknowledgeRepeated(
        _ request: Request, from sender: BayeuxPublisher.Sender, text: RawSpan, into outbox: inout Outbox
    ) {
        if work.operationCount == 0 { return reply(to: request, text: text, nil, into: &outbox) }
        pass(nil, from: BayeuxPublisher(request, text: text, sender: sender, excluded: nil), into: &outbox)
    }

    /// The first one of a repeated publication is decided.
    mutating func finishRepeated(_ publisher: BayeuxPublisher, into outbox: inout Outbox) {
        let wasTaken = publisher.sender.map { $0.session.recentIDs.contains($0.id) } ?? true
        reply(to: publisher.peer, head: publisher.replyHead, wasTaken ? nil : .publishFailed(""), into: &outbox)
    }

    /// A publication over plain HTTP. `data` is one JSON value, already validated; the answer is a `receipt`.
    package mutating func publish(
        _ data: RawSpan, to channel: ChannelName, options: PublishOptions, from connection: ConnectionID,
        caller: Caller? = nil, now: Moment, into outbox: inout Outbox
    ) {
        counters.receive(.publish, over: .exchange)
        if channel.isMeta || channel.isService {
            return outbox.append(.receipt(connection, .failure(.forbidden(channel.text))))
        }
        if rates != nil, let excess = excess(ofPublishing: data.byteCount, by: caller, now: now) {
            return outbox.append(.receipt(connection, .failure(excess)))
        }
        if rules != nil, let refusal = refusal(of: caller, .publish, ChannelPattern(channel), now: now) {
            return outbox.append(.receipt(connection, .failure(refusal)))
        }
        let key = options.idempotencyKey.map {
            IdempotencyKeys.Key(channel: channel, subject: caller?.principal?.subject, text: $0)
        }
        let fingerprint = key == nil ? 0 : RecentIDs.ID(data: data).value
        if let key {
            idempotencyKeys.advance(to: now)
            if idempotencyKeys.isTaken(key, by: fingerprint) {
                return outbox.append(.receipt(connection, .failure(.keyOfOtherData)))
            }
            if let entry = idempotencyKeys[key] {
                return repeatAnswer(entry, of: key, to: connection, into: &outbox)
            }
        }
        let policy = policies.policy(for: channel)
        if let excess = excess(ofPublishing: data.byteCount, to: channel, under: policy, now: now) {
            return outbox.append(.receipt(connection, .failure(excess)))
        }
        if let key { idempotencyKeys.begin(key, of: fingerprint, now: now, window: limits.idempotencyWindow) }
        let id = ClientID.make(using: &generator)
        let publisher = Publisher.http(HTTPPublisher(connection: connection, id: id, key: key, trace: options.trace))
        tell(
            .publish(clientID: nil, channel: channel.text, data: data.withUnsafeBytes { Array($0) }), into: &outbox)
        if options.retain || policy.isStored {
            let whole = JSONSlice(kind: .object, offset: 0, count: UInt32(data.byteCount))
            let origin = key.map {
                PublicationOrigin.request(key: $0.text, subject: $0.subject, fingerprint: fingerprint, receipt: id)
            }
            let draft = PublicationDraft(
                channel: channel, data: whole, text: data, options: options, policy: policy, origin: origin, now: now)
            return store(draft, from: publisher, into: &outbox)
        }
        let publication = Publication(channel: channel, data: data, slow: policy.slow, trace: options.trace)
        finish(publisher, .init(channel: channel, publication: publication), into: &outbox)
    }

    /// Sees to it that the store knows a session whose publication it is to know again.
    private mutating func keep(_ session: Session, now: Moment, into outbox: inout Outbox) {
        guard session.storage == .unknown, !session.isEphemeral, !storeIsBusy else { return }
        session.storage.tell()
        let stored = session.stored
        submit(.keep(session, Array(stored.subscriptions.keys)), to: &outbox) {
            .subscribe($0, stored, [], wall: now.wall)
        }
    }

    private mutating func store(_ draft: PublicationDraft, from publisher: Publisher, into outbox: inout Outbox) {
        guard !storeIsBusy else { return refuse(publisher, .publishFailed(draft.channel.text), into: &outbox) }
        submit(.publish(publisher, draft), for: publisher.connection, to: &outbox) { .publish($0, draft) }
    }

    private func channelName(of slice: JSONSlice, text: RawSpan) -> Result<ChannelName, BayeuxError> {
        if slice.kind == .string {
            // Without its quotes; no copy is made of a name that is good.
            let inner = slice.range.lowerBound + 1..<slice.range.upperBound - 1
            let name = try? ChannelName(
                text.extracting(inner), grammar: limits.grammar, maximumBytes: limits.channelBytes)
            if let name { return .success(name) }
        }
        if slice.isAbsent || slice.kind == .null { return .failure(.invalidChannel(nil)) }
        guard let name = slice.string(in: text) else {
            return .failure(.invalidChannel(slice.json(in: text)))
        }
        guard let channel = try? ChannelName(name, grammar: limits.grammar, maximumBytes: limits.channelBytes) else {
            return .failure(.invalidChannel(name))
        }
        return .success(channel)
    }

    /// The store has numbered the publication: it goes out, and its publisher is told.
    mutating func finish(
        _ publisher: Publisher, _ draft: PublicationDraft, sequence: UInt64, into outbox: inout Outbox
    ) {
        let epoch = epoch
        finish(publisher, on: draft.channel, sequence: sequence, into: &outbox) { policies in
            let stored = StoredPublication(
                sequence: sequence, channel: draft.channel, data: draft.data, isBinary: draft.isBinary)
            let slow = policies.isEmpty ? SlowPolicy.queue : policies.policy(for: draft.channel).slow
            return Publication(stored, epoch: epoch, retained: false, slow: slow, trace: publisher.trace)
        }
    }

    /// A publication's turn has come behind those that were stored.
    mutating func finish(
        _ publisher: Publisher, _ passing: PassingPublication, into outbox: inout Outbox
    ) {
        let publication = passing.publication
        finish(publisher, on: passing.channel, sequence: publication.sequence, into: &outbox) { _ in publication }
    }

    /// A publication goes out, and its publisher is told.
    private mutating func finish(
        _ publisher: Publisher, on channel: ChannelName, sequence: UInt64?, into outbox: inout Outbox,
        _ publication: (ChannelPolicies) -> Publication
    ) {
        var excluded: SubscriptionTable.Subscriber?
        if case .bayeux(let publisher) = publisher { excluded = publisher.excluded }
        let destinations = destinations(of: channel, excluding: excluded)
        let matchedCount = destinations.count
        if case .bayeux(let publisher) = publisher {
            reply(to: publisher.peer, head: publisher.replyHead, nil, into: &outbox) { bytes in
                guard publisher.wantsReceipt else { return }
                bytes += #""ext":{"#.utf8
                if let sequence { bytes += #""seq":\#(sequence),"#.utf8 }
                bytes += #""matched":\#(matchedCount)},"#.utf8
            }
        }
        // What nobody gets is not even put together.
        if matchedCount > 0 { send(publication(policies), to: destinations, into: &outbox) }
        if let trace = publisher.trace {
            outbox.append(.traced(.init(trace: trace, sequence: sequence, matchedCount: matchedCount)))
        }
        guard case .http(let publisher) = publisher else { return }
        let receipt = PublishReceipt(
            id: publisher.id, channel: channel, sequence: sequence, matchedCount: matchedCount)
        answer(publisher, .success(receipt), into: &outbox)
    }

    /// Answers a request, and those that repeated it meanwhile.
    private mutating func answer(
        _ publisher: HTTPPublisher, _ result: Result<PublishReceipt, BayeuxError>, into outbox: inout Outbox
    ) {
        if isOpen(publisher.connection) { outbox.append(.receipt(publisher.connection, result)) }
        guard let key = publisher.key else { return }
        for connection in idempotencyKeys.finish(key, result) {
            if isOpen(connection) { outbox.append(.receipt(connection, result)) }
            settle(connection, into: &outbox)
        }
    }

    /// A publication that is sent again, because its sender missed the answer.
    private mutating func repeatAnswer(
        _ entry: IdempotencyKeys.Entry, of key: IdempotencyKeys.Key, to connection: ConnectionID,
        into outbox: inout Outbox
    ) {
        switch entry {
        case .taken(let receipt):
            outbox.append(.receipt(connection, .success(receipt)))
        case .pending:
            idempotencyKeys.wait(connection, for: key)
            work.join(connection)
        }
    }

    /// The publication was not taken.
    mutating func refuse(_ publisher: Publisher, _ error: BayeuxError, into outbox: inout Outbox) {
        switch publisher {
        case .bayeux(let publisher):
            if let sender = publisher.sender { sender.session.recentIDs.remove(sender.id) }
            reply(to: publisher.peer, head: publisher.replyHead, error, into: &outbox)
        case .http(let publisher):
            answer(publisher, .failure(error), into: &outbox)
        }
    }
}

/// Fan-out.
extension Router {
    /// Where a publication goes, which is counted.
    private mutating func destinations(
        of channel: ChannelName, excluding excluded: SubscriptionTable.Subscriber?
    ) -> Destinations {
        let destinations = routing.destinations(of: channel, excluding: excluded)
        publishedCount &+= 1
        deliveredCount &+= UInt64(destinations.count)
        return destinations
    }

    private mutating func send(
        _ publication: Publication, to destinations: Destinations, into outbox: inout Outbox
    ) {
        for handle in destinations.waiting {
            if let session = sessions[Int(handle)] { queue(publication, for: session, into: &outbox) }
        }
        for recipients in destinations.recipients { outbox.append(.deliver(publication, to: recipients)) }
    }
}

extension Result {
    fileprivate var success: Success? { try? get() }
}
