/// Why a session ended.
package enum EndReason: String, Sendable, CaseIterable {
    /// Its client said goodbye.
    case disconnect
    /// No connect came in time.
    case expired
    /// Its token ended, and no other one came within the grace.
    case tokenExpired = "token_expired"
    /// One of before the broker was started again; whoever continued it may not have all that it was subscribed to. Or an
    /// event stream of channels that other rules do not let it have.
    case denied
    /// Its token, or its subject, was revoked.
    case revoked
    /// The administrator ended it.
    case kicked
    /// An event stream of channels, which ends with its connection.
    case stream
    /// An event stream of channels that the store could not serve.
    case store
}

/// Why a connection ended.
package enum ConnectionEnd: String, Sendable, CaseIterable {
    /// The other side ended it, or it was lost.
    case peer
    /// The broker did: a session ended, a response said so.
    case done
    /// Nothing came within a deadline.
    case timeout
    /// A ping was not answered.
    case pong
    /// It did not take what was written to it.
    case slow
    /// More than there was room for had come of it that was not complete.
    case unfinished
    /// It broke the protocol.
    case violation
    /// It went on as another kind of connection.
    case upgrade
    /// The broker stopped.
    case shutdown
}

/// What is remembered of a session that has ended. Instants: ms since 1970.
package struct EndedSession: Sendable, Equatable {
    /// How its client came last.
    package enum Transport: String, Sendable {
        case websocket, http, eventsource
        /// It never connected.
        case none
    }
    /// A connection of the session that was lost before the session ended.
    package struct LostConnection: Sendable, Equatable {
        package let reason: ConnectionEnd
        package let at: Int64
    }
    package let tag: SessionTag
    package let reason: EndReason
    package let startedAt: Int64
    package let endedAt: Int64
    package let transport: Transport
    package let address: AddressClass
    /// The last connection, if it was lost and no other one came.
    package let lost: LostConnection?
    /// Publications that came from it.
    package let publishedCount: UInt64
    /// Live messages that were for it: written, or put into its queue. What it read from the log is not among them.
    package let deliveredCount: UInt64
    /// Messages that had to make room in its queue.
    package let droppedCount: UInt64
    /// Messages that still waited when it ended.
    package let waitingCount: Int
    package let subscriptionCount: Int
}

/// The sessions that have ended last, up to a number: the newest takes the place of the oldest.
struct FlightRecorder {
    let capacity: Int
    private var entries: [EndedSession] = []
    /// Where the next entry goes once all places are taken.
    private var next = 0

    /// A recorder for so many sessions, 0 for none.
    init(capacity: Int) { self.capacity = capacity }

    mutating func record(_ session: EndedSession) {
        if entries.count < capacity {
            entries.append(session)
        } else if capacity > 0 {
            entries[next] = session
            next = (next + 1) % capacity
        }
    }

    /// The newest first: those with this tag if there is one, `limit` of them at most.
    func last(_ limit: Int, of tag: SessionTag?) -> [EndedSession] {
        var found: [EndedSession] = []
        for offset in entries.indices.reversed() where found.count < limit {
            let entry = entries[(next + offset) % entries.count]
            if let tag, !tag.names(entry.tag) { continue }
            found.append(entry)
        }
        return found
    }
}
