/// One extension that was agreed on, for both directions.
final class ExtensionMember {
    let name: String
    let reservedBits: ReservedBits
    let session: any ExtensionSession
    private var pendingCount = 0
    private var isClosing = false

    init(name: String, reservedBits: ReservedBits, session: any ExtensionSession) {
        self.name = name
        self.reservedBits = reservedBits
        self.session = session
    }

    func begin() { pendingCount += 1 }

    func finish() {
        pendingCount -= 1
        if isClosing, pendingCount == 0 { session.close() }
    }

    /// Closes the session, as soon as nothing is pending in it.
    func close() {
        guard !isClosing else { return }
        isClosing = true
        if pendingCount == 0 { session.close() }
    }

    func violation(_ failure: ExtensionFailure) -> ProtocolViolation {
        let code = failure.closeCode.isAllowedOnWire ? failure.closeCode : .protocolError
        return ProtocolViolation(closeCode: code, message: "\(name): \(failure.message)")
    }
}

/// The messages of one direction on their way through the extensions.
///
/// Rules: a message enters an extension when the one before it has; it leaves the last one when it is the first. So
/// every extension sees all messages in order, and the results come in order, whatever is completed first. A
/// failure travels like a message, but past the extensions; everything behind it is dropped. While nothing is
/// pending, messages go straight through and nothing is stored.
struct ExtensionLane {
    /// What has come through.
    enum Result {
        case message(MessageKind, ExtensionMessage)
        case failed(ProtocolViolation)
    }

    /// What a message became that went straight in.
    enum Passage {
        case unchanged
        case message(ExtensionMessage)
        case failed(ProtocolViolation)
        /// Its result comes later, or never because it is behind a failure.
        case later
    }

    private enum Progress {
        /// With the bits that it came with.
        case pending(ReservedBits)
        case done(ExtensionMessage)
        case failed(ProtocolViolation)
    }

    private struct Record {
        let number: UInt64
        let kind: MessageKind
        /// The extension that has or had it; -1 if none yet.
        var stage: Int
        var progress: Progress
    }

    private let direction: ExtensionToken.Direction
    /// In the order in which they process.
    private let members: [ExtensionMember]
    private let maximumBytes: Int
    /// The oldest first, numbered without gaps; the first one is always pending.
    private var records: ArraySlice<Record> = []
    private var nextNumber: UInt64 = 0
    /// Tokens whose messages were dropped while a session had them.
    private var orphans: Set<ExtensionToken> = []
    private var isStopped = false

    init(_ direction: ExtensionToken.Direction, members: [ExtensionMember], maximumBytes: Int) {
        self.direction = direction
        self.members = members
        self.maximumBytes = maximumBytes
    }

    /// Whether nothing is under way.
    var isIdle: Bool { records.isEmpty }

    /// Sends a message in.
    mutating func process(
        _ kind: MessageKind, _ reservedBits: ReservedBits, _ payload: UnsafeRawBufferPointer
    ) -> Passage {
        guard !isStopped else { return .later }
        let number = nextNumber
        nextNumber += 1
        guard records.isEmpty else {
            let message = ExtensionMessage(reservedBits: reservedBits, payload: Array(payload))
            records.append(Record(number: number, kind: kind, stage: -1, progress: .done(message)))
            advance(from: records.endIndex - 1)
            return .later
        }
        var header = ExtensionMessageHeader(kind: kind, reservedBits: reservedBits, maximumBytes: maximumBytes)
        var changed: ExtensionMessage?
        for stage in members.indices {
            let outcome =
                if let changed {
                    call(stage, number, changed.payload.span.bytes, header)
                } else {
                    call(stage, number, payload.bytes, header)
                }
            switch outcome {
            case .unchanged:
                break
            case .message(let message):
                switch check(stage, message, before: header.reservedBits) {
                case .done(let message):
                    header.reservedBits = message.reservedBits
                    changed = message
                case .failed(let violation):
                    return fail(violation)
                case .pending:
                    break
                }
            case .pending:
                records.append(
                    Record(number: number, kind: kind, stage: stage, progress: .pending(header.reservedBits)))
                return .later
            case .failed(let failure):
                return fail(members[stage].violation(failure))
            }
        }
        return changed.map(Passage.message) ?? .unchanged
    }

    /// Takes what a session finished; returns what has come through by that. A token that was completed before
    /// changes nothing.
    mutating func complete(
        _ token: ExtensionToken, _ result: Swift.Result<ExtensionMessage, ExtensionFailure>
    ) -> [Result] {
        guard members.indices.contains(token.stage) else { return [] }
        let member = members[token.stage]
        if orphans.remove(token) != nil {
            member.finish()
            return []
        }
        guard let first = records.first, token.number >= first.number, token.number - first.number < records.count
        else { return [] }
        let index = records.startIndex + Int(token.number - first.number)
        guard records[index].stage == token.stage, case .pending(let before) = records[index].progress else {
            return []
        }
        member.finish()
        switch result {
        case .success(let message): settle(index, check(token.stage, message, before: before))
        case .failure(let failure): settle(index, .failed(member.violation(failure)))
        }
        advance(from: index)
        return takeResults()
    }

    /// Drops everything, and takes nothing more.
    mutating func stop() {
        isStopped = true
        drop(from: records.startIndex)
    }

    private mutating func fail(_ violation: ProtocolViolation) -> Passage {
        isStopped = true
        return .failed(violation)
    }

    private mutating func settle(_ index: Int, _ progress: Progress) {
        records[index].progress = progress
        guard case .failed = progress else { return }
        isStopped = true
        drop(from: index + 1)
    }

    private mutating func drop(from index: Int) {
        for record in records[index...] {
            guard case .pending = record.progress else { continue }
            orphans.insert(ExtensionToken(direction: direction, number: record.number, stage: record.stage))
        }
        records.removeSubrange(index...)
    }

    /// Moves on the message at `index`, and those behind it as far as this lets them.
    private mutating func advance(from start: Int) {
        var index = start
        while index < records.endIndex, enterNext(index) { index += 1 }
    }

    /// Whether the message may have moved, so that the one behind it may.
    private mutating func enterNext(_ index: Int) -> Bool {
        var moved = false
        while case .done(let message) = records[index].progress {
            let stage = records[index].stage + 1
            guard stage < members.count, index == records.startIndex || records[index - 1].stage >= stage else { break }
            moved = true
            records[index].stage = stage
            let header = ExtensionMessageHeader(
                kind: records[index].kind, reservedBits: message.reservedBits, maximumBytes: maximumBytes)
            switch call(stage, records[index].number, message.payload.span.bytes, header) {
            case .unchanged: break
            case .message(let changed): settle(index, check(stage, changed, before: message.reservedBits))
            case .pending: records[index].progress = .pending(message.reservedBits)
            case .failed(let failure): settle(index, .failed(members[stage].violation(failure)))
            }
        }
        return moved
    }

    private mutating func takeResults() -> [Result] {
        var results: [Result] = []
        while let first = records.first {
            switch first.progress {
            case .done(let message) where first.stage == members.count - 1:
                results.append(.message(first.kind, message))
            case .failed(let violation):
                results.append(.failed(violation))
            case .done, .pending:
                return results
            }
            records.removeFirst()
        }
        return results
    }

    private func call(
        _ stage: Int, _ number: UInt64, _ payload: RawSpan, _ header: ExtensionMessageHeader
    ) -> ExtensionOutcome {
        let member = members[stage]
        let token = ExtensionToken(direction: direction, number: number, stage: stage)
        let outcome =
            switch direction {
            case .incoming: member.session.processIncoming(payload, header, token: token)
            case .outgoing: member.session.processOutgoing(payload, header, token: token)
            }
        if case .pending = outcome { member.begin() }
        return outcome
    }

    /// A session changes its own bits only, and exceeds no bound.
    private func check(_ stage: Int, _ message: ExtensionMessage, before: ReservedBits) -> Progress {
        let member = members[stage]
        guard message.payload.count <= maximumBytes else { return .failed(member.violation(.tooLong)) }
        var message = message
        message.reservedBits = before.subtracting(member.reservedBits)
            .union(message.reservedBits.intersection(member.reservedBits))
        return .done(message)
    }
}

extension ExtensionFailure {
    static var tooLong: Self { Self(closeCode: .messageTooBig, message: "Message is too large when decoded") }
}
