import BrokerCore
import Synchronization

/// Tickets stand for a token once, for half a minute: an `EventSource` can send no header, and a token in an address
/// would stay in logs and histories.
final class Tickets: Sendable {
    /// How long one is good (ns).
    static let lifetime: UInt64 = 30_000_000_000
    /// So many at a time; one who asks for more is told to wait.
    private static let maximumCount = 10_000

    private let issued = Mutex<[String: (principal: Principal, deadline: UInt64)]>([:])

    /// A ticket for somebody; nil when too many are about.
    func issue(to principal: Principal, now: UInt64) -> String? {
        var generator = SystemRandomNumberGenerator()
        let ticket = (0..<4).map { _ in String(generator.next() as UInt64, radix: 36) }.joined(separator: "-")
        return issued.withLock { issued in
            if issued.count >= Self.maximumCount { issued = issued.filter { $0.value.deadline > now } }
            guard issued.count < Self.maximumCount else { return nil }
            issued[ticket] = (principal, now + Self.lifetime)
            return ticket
        }
    }

    /// Whose the ticket is; it is used up.
    func redeem(_ ticket: String, now: UInt64) -> Principal? {
        guard let entry = issued.withLock({ $0.removeValue(forKey: ticket) }), entry.deadline > now else { return nil }
        return entry.principal
    }
}
