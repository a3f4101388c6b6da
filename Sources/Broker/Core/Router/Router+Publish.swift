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
        if channel.isService { return reply(to: request, text: text, nil, into: &outbox) }

        let options = PublishOptions(ext: request.envelope.ext, text: text)
        if options.retain {
            let draft = PublicationDraft(channel: channel, data: data, text: text, options: options, now: now)
            let publisher = Publisher.bayeux(request.peer, head: Self.replyHead(of: request, text: text))
            return store(draft, from: publisher, into: &outbox)
        }
        if mustQueueBehindStore(request.peer.connection) {
            let publisher = Publisher.bayeux(request.peer, head: Self.replyHead(of: request, text: text))
            guard !storeIsBusy else { return refuse(publisher, .publishFailed(channel.text), into: &outbox) }
            let publication = Publication(channel: channel, data: text.extracting(data.range))
            submit(.pass(publisher, publication), for: request.peer.connection, to: &outbox) { .pass($0) }
            return
        }
        reply(to: request, text: text, nil, into: &outbox)
        match(channel)
        // What nobody gets is not even put together.
        if matched.isEmpty { return }
        send(Publication(channel: channel, data: text.extracting(data.range)), into: &outbox)
    }

    /// A publication over plain HTTP. `data` is one JSON value, already validated; the answer is a `receipt`.
    package mutating func publish(
        _ data: RawSpan, to channel: ChannelName, options: PublishOptions, from connection: ConnectionID, now: Moment,
        into outbox: inout Outbox
    ) {
        if channel.isMeta || channel.isService {
            return outbox.append(.receipt(connection, .failure(.forbidden(channel.text))))
        }
        let publisher = Publisher.http(connection, id: ClientID.make(using: &generator))
        if options.retain {
            let whole = JSONSlice(kind: .object, offset: 0, count: UInt32(data.byteCount))
            let draft = PublicationDraft(channel: channel, data: whole, text: data, options: options, now: now)
            return store(draft, from: publisher, into: &outbox)
        }
        finish(publisher, Publication(channel: channel, data: data), sequence: nil, into: &outbox)
    }

    /// Asks for the retained message of a channel; the answer is a `retained`.
    package mutating func readRetained(
        of channel: ChannelName, for connection: ConnectionID, now: Moment, into outbox: inout Outbox
    ) {
        guard !storeIsBusy else {
            return outbox.append(.retained(connection, .failure(.tooMany("operations"))))
        }
        submit(.readRetained(connection), for: connection, to: &outbox) {
            .readRetained($0, channel, wall: now.wall)
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
            return .failure(.invalidChannel(Self.raw(slice, in: text)))
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
        let stored = StoredPublication(sequence: sequence, channel: draft.channel, data: draft.data)
        let publication = Publication(stored, epoch: epoch, retained: false)
        finish(publisher, publication, sequence: sequence, into: &outbox)
    }

    /// A publication's turn has come behind those that were stored.
    mutating func finish(
        _ publisher: Publisher, _ publication: Publication, sequence: UInt64?, into outbox: inout Outbox
    ) {
        if case .bayeux(let peer, let head) = publisher { reply(to: peer, head: head, nil, into: &outbox) }
        match(publication.channel)
        let matchedCount = matched.count
        send(publication, into: &outbox)
        acknowledge(
            publisher, channel: publication.channel, sequence: sequence, matchedCount: matchedCount, into: &outbox)
    }

    private func acknowledge(
        _ publisher: Publisher, channel: ChannelName, sequence: UInt64?, matchedCount: Int, into outbox: inout Outbox
    ) {
        guard case .http(let connection, let id) = publisher, !closedConnections.contains(connection) else { return }
        let receipt = PublishReceipt(id: id, channel: channel, sequence: sequence, matchedCount: matchedCount)
        outbox.append(.receipt(connection, .success(receipt)))
    }

    /// The publication was not taken.
    mutating func refuse(_ publisher: Publisher, _ error: BayeuxError, into outbox: inout Outbox) {
        switch publisher {
        case .bayeux(let peer, let head):
            reply(to: peer, head: head, error, into: &outbox)
        case .http(let connection, _):
            guard !closedConnections.contains(connection) else { return }
            outbox.append(.receipt(connection, .failure(error)))
        }
    }
}

/// Fan-out.
extension Router {
    /// Puts every session with a matching subscription into `matched`, each once.
    private mutating func match(_ channel: ChannelName) {
        matched.removeAll(keepingCapacity: true)
        table.match(channel, into: &matched)
    }

    /// Sends a publication to the sessions in `matched`.
    private mutating func send(_ publication: Publication, into outbox: inout Outbox) {
        attached.removeAll(keepingCapacity: true)
        for handle in matched {
            let route = routes[Int(handle)]
            if route != Self.nowhere {
                attached.append(route)
            } else if let session = sessions[Int(handle)] {
                queue(publication, for: session)
            }
        }
        for loop in 0..<loopCount { outbox.deliver(publication, loop: loop, to: attached) }
    }

    /// Sends a publication to one session.
    mutating func deliver(_ publication: Publication, to session: Session, into outbox: inout Outbox) {
        let route = routes[Int(session.handle)]
        if route != Self.nowhere {
            outbox.append(.push(publication, route))
        } else {
            queue(publication, for: session)
        }
    }

    private mutating func queue(_ publication: Publication, for session: Session) {
        let wasEmpty = session.queue.isEmpty
        session.queue.append(publication, within: limits)
        if wasEmpty, session.link.deadline != nil { readyPolls.append(session.handle) }
    }
}

/// Who is told what became of a publication.
enum Publisher {
    case bayeux(Peer, head: [UInt8])
    case http(ConnectionID, id: String)

    var connection: ConnectionID {
        switch self {
        case .bayeux(let peer, _): peer.connection
        case .http(let connection, _): connection
        }
    }
}

/// What a publisher asks for beyond delivery.
package struct PublishOptions: Sendable, Equatable {
    /// Keep it as the channel's retained message.
    package var retain = false
    /// Drop it after this many seconds.
    package var timeToLive: Double?

    /// Nothing beyond delivery.
    package init(retain: Bool = false, timeToLive: Double? = nil) {
        self.retain = retain
        self.timeToLive = timeToLive
    }

    /// The options in a message's `ext`: `retain` and `ttl` (seconds).
    init(ext: JSONSlice, text: RawSpan) {
        guard ext.kind == .object else { return }
        retain = ext.member("retain", in: text).bool == true
        timeToLive = ext.member("ttl", in: text).double(in: text)
    }
}

extension PublicationDraft {
    init(channel: ChannelName, data: JSONSlice, text: RawSpan, options: PublishOptions, now: Moment) {
        var bytes: [UInt8] = []
        bytes.append(data, of: text)
        let isNull = bytes.elementsEqual("null".utf8)
        // Up to a century, so that no number of seconds overflows.
        let lifetime = options.timeToLive.map { Int64(min(max($0, 0), 3.2e9) * 1000) }
        self.init(
            channel: channel, data: bytes, retention: isNull ? .clear : .replace, publishedAt: now.wall,
            expiresAt: lifetime.map { now.wall + $0 })
    }
}
