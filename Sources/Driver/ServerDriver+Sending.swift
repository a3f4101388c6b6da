/// The owner's side of an open connection, or of one that is to be open.
extension ServerDriver {
    /// See ``WebSocketDriver``.
    @discardableResult
    public mutating func send(_ kind: MessageKind, _ payload: RawSpan) -> Bool {
        payload.withUnsafeBytes { bytes in
            guard kind == .binary || UTF8Validator.isValid(bytes) else { return false }
            return send(Opcode(kind), bytes)
        }
    }

    /// See ``WebSocketDriver``.
    @discardableResult
    public mutating func ping(_ payload: RawSpan, onPong: (() -> Void)?) -> Bool {
        payload.withUnsafeBytes { $0.count <= 125 && send(.ping, $0, onPong: onPong) }
    }

    /// See ``WebSocketDriver``.
    @discardableResult
    public mutating func pong(_ payload: RawSpan) -> Bool {
        payload.withUnsafeBytes { $0.count <= 125 && send(.pong, $0) }
    }

    /// See ``WebSocketDriver``.
    @discardableResult
    public mutating func close(_ code: CloseCode, reason: String, now: UInt64) -> Bool {
        guard code.isAllowedOnWire || code == .noStatus else { return false }
        switch phase {
        case .readingHead, .awaitingStart, .readingChallenge:
            end(unreported: (code, reason))
            return true
        case .framing:
            let deadline = now.saturatingAdd(closeTimeout)
            return connection.close(code, reason: reason, deadline: deadline, key: nil, output: &output)
        case .hixieFraming:
            hixie?.close(output: &output)
            end(unreported: (.noStatus, ""))
            return true
        case .handedOver, .over:
            return false
        }
    }

    /// See ``WebSocketDriver``.
    public mutating func releaseIdleMemory() {
        connection.releaseIdleMemory()
    }

    private mutating func send(
        _ opcode: Opcode, _ payload: UnsafeRawBufferPointer, onPong: (() -> Void)? = nil
    ) -> Bool {
        switch phase {
        case .framing:
            return connection.send(opcode, payload, onPong: onPong, key: nil, output: &output)
        case .hixieFraming:
            return HixieConnection.send(opcode, payload, output: &output)
        case .readingHead, .awaitingStart, .readingChallenge:
            guard opcode == .text || !isTextOnly else { return false }
            return pending?.enqueue(opcode, payload, onPong: onPong) ?? false
        case .handedOver, .over:
            return false
        }
    }

    /// Whether the request is known to be one of hixie; asked only before the connection is open.
    private var isTextOnly: Bool {
        hixie != nil || request.map { VersionSelection.requestedVersion($0.headers)?.isHixie ?? false } ?? false
    }
}
