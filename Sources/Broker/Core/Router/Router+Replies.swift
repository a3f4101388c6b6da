/// How replies are put together: what is copied from the request, then success or the error (Bayeux 1.0 §5).
extension Router {
    /// A reply without its end: `{` and the request's channel, id and client id, as they were sent.
    static func replyHead(of request: Request, text: RawSpan, withClientID: Bool = true) -> [UInt8] {
        let envelope = request.envelope
        var head: [UInt8] = []
        head.reserveCapacity(32 + Int(envelope.channel.count + envelope.id.count + envelope.clientId.count))
        appendHead(of: request, text: text, withClientID: withClientID, to: &head)
        return head
    }

    /// Appends what a reply repeats of its request. Values that JavaScript takes for false are left out, as Faye does.
    static func appendHead(of request: Request, text: RawSpan, withClientID: Bool = true, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "{"))
        func copy(_ name: StaticString, _ slice: JSONSlice) {
            guard slice.isTruthy(in: text) else { return }
            name.withUTF8Buffer { bytes.append(contentsOf: $0) }
            bytes.append(slice, of: text)
            bytes.append(UInt8(ascii: ","))
        }
        let envelope = request.envelope
        copy(#""channel":"#, envelope.channel)
        copy(#""id":"#, envelope.id)
        if withClientID { copy(#""clientId":"#, envelope.clientId) }
    }

    /// Appends the end of a reply whose fields so far each end with a comma.
    static func appendEnd(_ error: ReplyError?, to bytes: inout [UInt8]) {
        switch error {
        case nil:
            bytes += #""successful":true}"#.utf8
        case .bayeux(let error):
            bytes += #""successful":false,"error":"#.utf8
            bytes.append(jsonString: error.wire)
            bytes.append(UInt8(ascii: "}"))
        case .sent(let raw):
            bytes += #""successful":false,"error":"#.utf8
            bytes += raw
            bytes.append(UInt8(ascii: "}"))
        }
    }

    /// Replies with the request's own fields, then what `fields` appends (each followed by a comma), then the outcome.
    mutating func reply(
        to request: Request, text: RawSpan, _ error: ReplyError?, withClientID: Bool = true,
        into outbox: inout Outbox, fields: (inout [UInt8]) -> Void = { _ in }
    ) {
        if let error { counters.answer(errorCode: error.code) }
        guard isOpen(request.peer.connection) else { return }
        outbox.reply(to: request.peer.connection) { bytes in
            Self.appendHead(of: request, text: text, withClientID: withClientID, to: &bytes)
            fields(&bytes)
            Self.appendEnd(error, to: &bytes)
        }
        settle(request.peer, into: &outbox)
    }

    /// Replies with what was prepared of the reply when the request came.
    mutating func reply(
        to peer: Peer, head: [UInt8], _ error: BayeuxError?, into outbox: inout Outbox,
        fields: (inout [UInt8]) -> Void = { _ in }
    ) {
        if let error { counters.answer(errorCode: error.code) }
        guard isOpen(peer.connection) else { return }
        outbox.reply(to: peer.connection) { bytes in
            bytes += head
            fields(&bytes)
            Self.appendEnd(error.map(ReplyError.bayeux), to: &bytes)
        }
        settle(peer, into: &outbox)
    }

    /// Replies to a connect that was held.
    mutating func reply(
        to held: HeldConnect, of session: Session, _ error: BayeuxError?, into outbox: inout Outbox,
        fields: (inout [UInt8]) -> Void
    ) {
        reply(to: held.peer, head: [], error, into: &outbox) { bytes in
            bytes += #"{"channel":"/meta/connect","#.utf8
            if !held.id.isEmpty {
                bytes += #""id":"#.utf8
                bytes += held.id.utf8
                bytes += ",".utf8
            }
            bytes += #""clientId":"#.utf8
            bytes.append(jsonString: session.clientID)
            bytes += ",".utf8
            fields(&bytes)
        }
    }

    /// Replies to something that has no fields to repeat.
    mutating func reply(
        to peer: Peer, _ error: BayeuxError, into outbox: inout Outbox, fields: (inout [UInt8]) -> Void
    ) {
        reply(to: peer, head: [UInt8(ascii: "{")], error, into: &outbox, fields: fields)
    }

    /// One message of an HTTP request is answered; with the last one the response goes out.
    private mutating func settle(_ peer: Peer, into outbox: inout Outbox) {
        guard peer.kind == .exchange, let open = exchanges[peer.connection] else { return }
        exchanges[peer.connection] = open - 1
        if open == 1 { finish(peer.connection, into: &outbox) }
    }

    mutating func finish(_ connection: ConnectionID, into outbox: inout Outbox) {
        exchanges[connection] = nil
        outbox.append(.finish(connection))
    }

    func isOpen(_ connection: ConnectionID) -> Bool {
        !work.isClosed(connection)
    }

    var successAdvice: Advice {
        Advice(reconnect: .retry, interval: limits.interval.milliseconds, timeout: limits.timeout.milliseconds)
    }

    /// The broker stops, and everybody will come to the next one: each session at a moment of its own.
    mutating func drainAdvice() -> Advice {
        let spread = max(limits.drainSpread.milliseconds, limits.interval.milliseconds)
        let interval = Int.random(in: limits.interval.milliseconds...spread, using: &generator)
        return Advice(reconnect: .retry, interval: interval, timeout: limits.timeout.milliseconds)
    }

    /// A client whose session is gone comes back at a moment of its own, so that thousands do not come at once.
    mutating func expiredAdvice() -> Advice {
        let spread = limits.handshakeSpread.milliseconds
        return Advice(reconnect: .handshake, interval: Int.random(in: 0...max(spread, 0), using: &generator))
    }
}

/// Why a request was refused.
enum ReplyError {
    case bayeux(BayeuxError)
    /// The request brought an `error` of its own, which refuses it with that very value (JSON).
    case sent([UInt8])

    /// Its code; what a request brings need not have any.
    var code: Int? {
        switch self {
        case .bayeux(let error): error.code
        case .sent: nil
        }
    }

    /// The error that a request brings along.
    init?(sentIn request: Request, text: RawSpan) {
        guard request.envelope.error.isTruthy(in: text) else { return nil }
        var raw: [UInt8] = []
        raw.append(request.envelope.error, of: text)
        self = .sent(raw)
    }
}

extension JSONSlice {
    /// Whether JavaScript takes the value for true: anything but absent, `null`, `false`, `""` and zero.
    func isTruthy(in text: RawSpan) -> Bool {
        switch kind {
        case .absent, .null: false
        case .string: count > 2
        case .number: double(in: text) != 0
        case .escapedString, .array, .object: true
        default: bool == true
        }
    }
}
