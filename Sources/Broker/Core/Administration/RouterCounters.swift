/// What the router counts for metrics, since the start: plain numbers, read when somebody asks.
package struct RouterCounters: Sendable, Equatable {
    /// What a message from a client is.
    package enum Kind: String, Sendable, CaseIterable {
        case handshake, connect, subscribe, unsubscribe, disconnect, publish
        /// No object, so nothing of that.
        case invalid
    }
    /// Messages by kind, over WebSockets and over HTTP.
    package private(set) var fromSockets = Array(repeating: UInt64(0), count: Kind.allCases.count)
    package private(set) var fromRequests = Array(repeating: UInt64(0), count: Kind.allCases.count)
    /// Messages that had to make room in a session's queue and are not in the log.
    package internal(set) var droppedFromQueues: UInt64 = 0
    /// Messages that a newer one of their channel took the place of.
    package internal(set) var superseded: UInt64 = 0
    /// From the arrival of a stored publication to its acknowledgement, in seconds, in the order of `Durability`.
    package private(set) var publishDurations = Durability.allCases.map { _ in Histogram(bounds: Histogram.seconds) }

    /// Refused credentials, by what was wrong with them.
    package private(set) var authFailures = CaseCounts<AuthFailure>()
    /// What rules or tokens did not allow.
    package private(set) var deniedPublications: UInt64 = 0
    package private(set) var deniedSubscriptions: UInt64 = 0

    /// Sessions that have caught up with the log: with everything, or with a gap that they were told of.
    package private(set) var completeRecoveries: UInt64 = 0
    package private(set) var recoveriesWithGap: UInt64 = 0

    mutating func recover(completely: Bool) {
        if completely { completeRecoveries += 1 } else { recoveriesWithGap += 1 }
    }

    /// Counts a refusal of somebody who may not do what they asked for.
    mutating func refuse(_ error: BayeuxError) {
        switch error.reason {
        case .denied(.publish)?: deniedPublications += 1
        case .denied(.subscribe)?: deniedSubscriptions += 1
        case .credentials(let failure)?: authFailures[failure] += 1
        case .unknownClient?, nil: break
        }
    }

    /// Sessions that have ended, by why.
    package private(set) var endings = CaseCounts<EndReason>()

    mutating func end(_ reason: EndReason) {
        endings[reason] += 1
    }

    /// The codes of errors that are counted each by itself.
    package static let errorCodes = [301, 401, 402, 403, 405, 407, 410, 413, 429, 500]
    /// Messages of Bayeux clients that were answered with an error, in the order of `errorCodes`; at the end those with any
    /// other, which services and extensions of the embedding program choose.
    package private(set) var refusedCounts = Array(repeating: UInt64(0), count: errorCodes.count + 1)

    /// Counts an answer with an error of this code, nil for one that has none.
    mutating func answer(errorCode: Int?) {
        let index = errorCode.flatMap { code in Self.errorCodes.firstIndex(of: code) }
        refusedCounts[index ?? Self.errorCodes.count] += 1
    }

    /// What was refused because it came too fast, by the limit.
    package private(set) var limitedCounts = CaseCounts<RateLimits.Limit>()

    mutating func limit(_ limit: RateLimits.Limit) {
        limitedCounts[limit] += 1
    }

    mutating func receive(_ kind: Kind, over peer: Peer.Kind) {
        if peer == .socket { fromSockets[kind.index] += 1 } else { fromRequests[kind.index] += 1 }
    }

    /// A publication was acknowledged after so many milliseconds.
    mutating func acknowledge(_ durability: Durability, after milliseconds: Int64) {
        let index =
            switch durability {
            case .memory: 0
            case .normal: 1
            case .full: 2
            }
        publishDurations[index].observe(Double(max(milliseconds, 0)) / 1000)
    }
}

extension RouterCounters.Kind {
    fileprivate var index: Int {
        switch self {
        case .handshake: 0
        case .connect: 1
        case .subscribe: 2
        case .unsubscribe: 3
        case .disconnect: 4
        case .publish: 5
        case .invalid: 6
        }
    }
}
