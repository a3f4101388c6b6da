/// What waits for sessions, each within its bounds, and all within one.
extension Router {
    /// Has a publication wait for a session.
    mutating func queue(_ publication: Publication, for session: Session, into outbox: inout Outbox) {
        makeRoom(for: publication.json.count)
        let wasEmpty = session.queue.isEmpty
        if session.uptake == .congested {
            switch publication.slow {
            case .queue: break
            case .latest:
                if changeQueue(of: session, { $0.drop(publication.channel) }) { counters.superseded += 1 }
            case .disconnect: session.link.connection.map { outbox.append(.cut($0)) }
            }
        }
        let limits = limits
        shorten(session) { $0.append(publication, within: limits) }
        if wasEmpty, session.catchUp == nil, session.link.deadline != nil { readyPolls.append(session.handle) }
    }

    /// Changes what waits for a session, and with it what waits for all.
    mutating func changeQueue<Value>(of session: Session, _ body: (inout MessageQueue) -> Value) -> Value {
        defer { weigh(session) }
        return body(&session.queue)
    }

    /// What waits for a session, or may have to be sent to it again, has changed, and with it the weight of all.
    mutating func weigh(_ session: Session) {
        let weight = session.weight
        queueWeights.change(session.handle, from: session.countedWeight, to: weight)
        session.countedWeight = weight
    }

    /// While there is no room in all, the oldest message of one of those for whom most waits makes it: nobody who has
    /// little loses it to somebody who has much. What was sent goes first, for its client most likely has it, then what
    /// comes before the queue.
    mutating func makeRoom(for byteCount: Int = 0) {
        while queueWeights.total + byteCount > limits.queuedBytesInAll, let handle = queueWeights.heaviest,
            let session = sessions[Int(handle)]
        {
            if session.acknowledgements?.dropFirst() == true {
                weigh(session)
            } else if let lostCount = session.catchUp?.dropFirst() {
                noteDropped(lostCount, of: session)
                weigh(session)
            } else {
                shorten(session) { $0.dropFirst() }
            }
        }
    }

    /// A change by which messages may be left out: what the log has of them is read again when its turn comes.
    private mutating func shorten(_ session: Session, _ body: (inout MessageQueue) -> ClosedRange<UInt64>?) {
        let before = session.queue.lostCount
        let logged = changeQueue(of: session, body)
        noteDropped(session.queue.lostCount - before, of: session)
        if let logged { catchUp(session) { $0.addMissed(logged) } }
    }

    /// A session does not get so many messages.
    mutating func noteDropped(_ count: UInt32, of session: Session) {
        counters.droppedFromQueues += UInt64(count)
        session.record.droppedCount += UInt64(count)
    }
}

extension Session {
    /// What is in memory for it: what waits, and what may have to be sent again.
    var weight: Int { queue.byteCount + (acknowledgements?.byteCount ?? 0) + (catchUp?.byteCount ?? 0) }
}
