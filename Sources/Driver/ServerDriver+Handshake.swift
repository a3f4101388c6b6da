/// The owner's answer to a request.
extension ServerDriver {
    private enum Handshake {
        case hybi(ServerHandshake)
        case hixie(HixieHandshake)
    }

    /// The request, from `connect` until `start` or `refuse`; then it is released, for an open connection should
    /// be small.
    public var request: RequestHead? { pending?.request }

    /// What `start` would refuse the request for; `nil` if it would accept, or there is no request to judge.
    public var handshakeViolation: ProtocolViolation? {
        guard let pending, let request = pending.request else { return nil }
        do throws(ProtocolViolation) {
            _ = try judge(request, pending.options)
            return nil
        } catch {
            return error
        }
    }

    /// Answers the request: accepts it (101, then what was queued, then `open`, then what the client sent
    /// meanwhile is read) or refuses it as its violation demands. False if it was refused, or nothing was asked.
    ///
    /// In hixie-76 what comes before `open` may have to wait for the challenge's body.
    @discardableResult
    public mutating func start<S: DriverSink & ~Copyable>(into sink: inout S) -> Bool {
        reportClose(into: &sink)
        guard phase == .awaitingStart, let pending, let request = pending.request else { return false }
        do throws(ProtocolViolation) {
            switch try judge(request, pending.options) {
            case .hybi(let handshake): start(handshake, pending, into: &sink)
            case .hixie(let handshake): start(handshake, pending, into: &sink)
            }
            return true
        } catch {
            fail(error, into: &sink)
            return false
        }
    }

    /// Answers a request (or an incomplete one) with `status` (300…599, anything else becomes 500) and a plain
    /// text, then closes: 1006. Does nothing when the handshake is answered.
    public mutating func refuse<S: DriverSink & ~Copyable>(status: Int, reason: String, into sink: inout S) {
        reportClose(into: &sink)
        guard phase == .readingHead || phase == .awaitingStart else { return }
        writeRefusal(status: 300...599 ~= status ? status : 500, reason: reason)
        end()
        sink.closed(.abnormal, reason: reason)
    }

    /// See ``WebSocketDriver``.
    @discardableResult
    public mutating func setHeader(_ name: String, _ value: String) -> Bool {
        guard phase == .readingHead || phase == .awaitingStart, let pending else { return false }
        return pending.headers.set(name, value)
    }

    /// See ``WebSocketDriver``.
    public mutating func addExtension(_ added: any WebSocketExtension) throws(ExtensionRegistrationError) {
        guard phase == .readingHead || phase == .awaitingStart, let pending else { throw .tooLate }
        try pending.extensions.add(added)
    }

    /// After `request`: all bytes that came, but for empty lines before the head; the owner's HTTP stack replays them.
    /// The owner takes them before it reads on: they have no bound.
    public mutating func takeReceivedBytes() -> [UInt8] {
        guard phase == .handedOver, let pending else { return [] }
        self.pending = nil
        return pending.reader.original + pending.earlyBytes
    }

    private func judge(_ request: RequestHead, _ options: DriverOptions) throws(ProtocolViolation) -> Handshake {
        let version = try VersionSelection.select(request, from: options.versions)
        return version.isHixie
            ? .hixie(try HixieHandshake(request, version: version, options: options))
            : .hybi(try ServerHandshake(request, version: version, subprotocols: options.subprotocols))
    }

    private mutating func start<S: DriverSink & ~Copyable>(
        _ handshake: ServerHandshake, _ pending: PendingHandshake, into sink: inout S
    ) {
        selectedVersion = handshake.version
        subprotocol = handshake.subprotocol
        let agreed = pending.extensions.accept(handshake.extensionOffers)
        output.append(handshake.response(pending.headers, extensions: agreed?.response))
        connection.use(agreed?.members ?? [])
        phase = .framing
        self.pending = nil
        for frame in pending.queue {
            frame.payload.withUnsafeBytes {
                _ = connection.send(frame.opcode, $0, onPong: frame.onPong, key: nil, output: &output)
            }
        }
        sink.open()
        let earlyBytes = pending.takeEarlyBytes()
        receive(earlyBytes.span.bytes, into: &sink)
    }

    private mutating func start<S: DriverSink & ~Copyable>(
        _ handshake: HixieHandshake, _ pending: PendingHandshake, into sink: inout S
    ) {
        selectedVersion = handshake.version
        subprotocol = handshake.subprotocol
        output.append(handshake.response(pending.headers))
        pending.request = nil
        hixie = HixieConnection(handshake, maximumMessageBytes: pending.options.maximumMessageBytes)
        phase = .readingChallenge
        let earlyBytes = pending.takeEarlyBytes()
        if handshake.challenge == nil { openHixie(into: &sink) }
        receive(earlyBytes.span.bytes, into: &sink)
    }

    /// The challenge is answered, or there is none.
    mutating func openHixie<S: DriverSink & ~Copyable>(into sink: inout S) {
        for frame in pending?.queue ?? [] {
            frame.payload.withUnsafeBytes { _ = HixieConnection.send(frame.opcode, $0, output: &output) }
        }
        phase = .hixieFraming
        pending = nil
        sink.open()
    }

    mutating func writeRefusal(status: Int, reason: String) {
        guard let pending else { return }
        output.append(
            ServerHandshake.refusal(
                status: status, reason: reason, headers: pending.headers, versions: pending.options.versions))
    }
}
