import BrokerCore
import Synchronization

/// Tickets stand for a token once, for half a minute: an `EventSource` can send no header, and a token in an address
/// would stay in logs and histories.
///
/// Each takes memory until it is used or has expired, so there is a bound for all, and one for each subject, or one of them
/// could leave none to the others.
final class Tickets: Sendable {
    /// How long one is good (ns).
    static let lifetime: UInt64 = 30_000_000_000

    /// A ticket, or after how many seconds there may be one again, and why there is none now.
    enum Answer: Equatable {
        case issued(String)
        case tooManyOfSubject(retryAfter: Int)
        case tooMany(retryAfter: Int)
    }
    /// What was refused since the start.
    struct Refusals {
        var ofSubjects: UInt64 = 0
        var inAll: UInt64 = 0
    }

    private struct State {
        var open: [String: (principal: Principal, deadline: UInt64)] = [:]
        /// Those of each subject, the oldest first.
        var bySubject: [String: [String]] = [:]
        /// Before this nothing expires (ns).
        var nextDeadline: UInt64 = 0
        var refusals = Refusals()

        mutating func remove(_ ticket: String) -> (principal: Principal, deadline: UInt64)? {
            guard let entry = open.removeValue(forKey: ticket) else { return nil }
            let subject = entry.principal.subject
            bySubject[subject]?.removeAll { $0 == ticket }
            if bySubject[subject]?.isEmpty == true { bySubject[subject] = nil }
            return entry
        }

        /// Takes away the expired ones of a subject.
        mutating func expire(_ subject: String, now: UInt64) {
            while let oldest = bySubject[subject]?.first, open[oldest].map({ $0.deadline <= now }) ?? true {
                bySubject[subject]?.removeFirst()
                open[oldest] = nil
            }
        }

        /// Takes away all that have expired. Linear, but not again before another one has.
        mutating func expireAll(now: UInt64) {
            guard now >= nextDeadline else { return }
            for subject in Array(bySubject.keys) {
                expire(subject, now: now)
                if bySubject[subject]?.isEmpty == true { bySubject[subject] = nil }
            }
            nextDeadline = open.values.lazy.map(\.deadline).min() ?? now
        }
    }
    private let maximumCount: Int
    private let maximumPerSubject: Int
    private let state = Mutex(State())

    /// None yet; at most so many at a time, and of one subject.
    init(maximumCount: Int, maximumPerSubject: Int) {
        self.maximumCount = maximumCount
        self.maximumPerSubject = maximumPerSubject
    }

    /// What was refused since the start.
    var refusals: Refusals { state.withLock { $0.refusals } }

    /// A ticket for somebody, unless too many are about.
    func issue(to principal: Principal, now: UInt64) -> Answer {
        var generator = SystemRandomNumberGenerator()
        let ticket = (0..<4).map { _ in String(generator.next() as UInt64, radix: 36) }.joined(separator: "-")
        let subject = principal.subject
        return state.withLock { state in
            state.expire(subject, now: now)
            let own = state.bySubject[subject] ?? []
            if own.count >= maximumPerSubject {
                state.refusals.ofSubjects += 1
                let deadline = own.first.flatMap { state.open[$0]?.deadline } ?? now
                return .tooManyOfSubject(retryAfter: Self.seconds(until: deadline, now: now))
            }
            if state.open.count >= maximumCount { state.expireAll(now: now) }
            guard state.open.count < maximumCount else {
                state.refusals.inAll += 1
                return .tooMany(retryAfter: Self.seconds(until: state.nextDeadline, now: now))
            }
            if state.open.isEmpty { state.nextDeadline = now + Self.lifetime }
            state.open[ticket] = (principal, now + Self.lifetime)
            state.bySubject[subject, default: []].append(ticket)
            return .issued(ticket)
        }
    }

    /// Whose the ticket is; it is used up. What is not ASCII is none: while it is hashed all loops would wait.
    func redeem(_ ticket: String, now: UInt64) -> Principal? {
        guard ticket.isPlain, let entry = state.withLock({ $0.remove(ticket) }), entry.deadline > now else {
            return nil
        }
        return entry.principal
    }

    private static func seconds(until deadline: UInt64, now: UInt64) -> Int {
        deadline > now ? Int((deadline - now + 999_999_999) / 1_000_000_000) : 1
    }
}
