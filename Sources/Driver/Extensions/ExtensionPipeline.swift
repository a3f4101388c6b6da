/// The extensions of one open connection: messages through them, and what has to wait for messages under way.
///
/// Rules: a Close frame, a violation or the end of the stream waits until both directions are idle, and so does our
/// own Close frame; control frames wait for nothing. Then every session is closed once, as soon as nothing is
/// pending in it. A class, so that a connection without extensions carries a `nil` for all of it.
final class ExtensionPipeline {
    /// The bits that a message's first frame may have.
    let claimedBits: ReservedBits
    private let members: [ExtensionMember]
    private var incoming: ExtensionLane
    private var outgoing: ExtensionLane
    /// What ends the connection, once both directions are idle; the first one counts.
    private var heldEnd: HybiEvent?
    /// The payload of our own Close frame, which waits likewise.
    private var heldClose: [UInt8]?

    /// `members` in the order in which outgoing messages pass them; incoming ones go the other way.
    init(_ members: [ExtensionMember], maximumMessageBytes: Int) {
        self.members = members
        claimedBits = members.reduce(into: []) { $0.formUnion($1.reservedBits) }
        incoming = ExtensionLane(.incoming, members: members.reversed(), maximumBytes: maximumMessageBytes)
        outgoing = ExtensionLane(.outgoing, members: members, maximumBytes: .max)
    }

    private var isIdle: Bool { incoming.isIdle && outgoing.isIdle }

    /// Whether the connection's end has come, but not its turn.
    var isEnding: Bool { heldEnd != nil }

    /// Whether it is the turn of what was held.
    var canEnd: Bool { heldEnd != nil && isIdle }

    func processIncoming(
        _ kind: MessageKind, _ bits: ReservedBits, _ payload: UnsafeRawBufferPointer
    ) -> ExtensionLane.Passage {
        incoming.process(kind, bits, payload)
    }

    func processOutgoing(_ kind: MessageKind, _ payload: UnsafeRawBufferPointer) -> ExtensionLane.Passage {
        outgoing.process(kind, [], payload)
    }

    /// Takes what a session finished; returns what has come through by that.
    func complete(
        _ token: ExtensionToken, _ result: Result<ExtensionMessage, ExtensionFailure>
    ) -> [ExtensionLane.Result] {
        switch token.direction {
        case .incoming: incoming.complete(token, result)
        case .outgoing: outgoing.complete(token, result)
        }
    }

    /// Keeps the connection's end for later; false if nothing is under way, so that it need not wait.
    func holdEnd(_ end: HybiEvent) -> Bool {
        guard !isIdle || heldEnd != nil else { return false }
        if heldEnd == nil { heldEnd = end }
        return true
    }

    /// Keeps a failure to send, which no sink was there to be told of.
    func holdFailure(_ violation: ProtocolViolation) {
        if heldEnd == nil { heldEnd = .violation(violation) }
    }

    /// Keeps our Close frame's payload for later; false if nothing is under way.
    func holdClose(_ payload: [UInt8]) -> Bool {
        guard !isIdle else { return false }
        heldClose = payload
        return true
    }

    /// Our Close frame's payload, when it is its turn.
    func takeClose() -> [UInt8]? {
        guard isIdle else { return nil }
        defer { heldClose = nil }
        return heldClose
    }

    /// The connection's end, when it is its turn.
    func takeEnd() -> HybiEvent? {
        guard isIdle else { return nil }
        defer { heldEnd = nil }
        return heldEnd
    }

    /// No more messages: drops what is under way, and closes each session as soon as nothing is pending in it.
    func close() {
        incoming.stop()
        outgoing.stop()
        heldEnd = nil
        heldClose = nil
        for member in members { member.close() }
    }

    func releaseIdleMemory() {
        for member in members { member.session.releaseIdleMemory() }
    }

    /// How a message prepared for many connections is deflated for this one; `nil` if it must go through the sessions.
    var sharedDeflation: DeflateSettings? {
        members.count == 1 && isIdle ? members[0].session.sharedDeflation : nil
    }
}
