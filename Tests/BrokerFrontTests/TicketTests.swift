import BrokerCore
import Testing

@testable import BrokerFront

/// Tickets: good once, for a while, and so many that everybody has some.
struct TicketTests {
    private static let alice = Principal(subject: "alice", expiresAt: .max)
    private static let bob = Principal(subject: "bob", expiresAt: .max)

    private static func ticket(_ answer: Tickets.Answer) throws -> String {
        guard case .issued(let ticket) = answer else { throw Refused(answer: answer) }
        return ticket
    }
    private struct Refused: Error { let answer: Tickets.Answer }

    @Test
    func goodOnceForHalfAMinute() throws {
        let tickets = Tickets(maximumCount: 10, maximumPerSubject: 10)
        let one = try Self.ticket(tickets.issue(to: Self.alice, now: 0))
        let two = try Self.ticket(tickets.issue(to: Self.alice, now: 0))
        #expect(one != two)
        #expect(tickets.redeem("x", now: 0) == nil)
        #expect(tickets.redeem(one, now: Tickets.lifetime - 1) === Self.alice)
        #expect(tickets.redeem(one, now: Tickets.lifetime - 1) == nil)
        #expect(tickets.redeem(two, now: Tickets.lifetime) == nil)
    }

    @Test(
        "What is not ASCII is not looked up; to put its marks in order first would take many minutes",
        .timeLimit(.minutes(10)))
    func marksInDisorder() throws {
        let tickets = Tickets(maximumCount: 10, maximumPerSubject: 10)
        _ = try Self.ticket(tickets.issue(to: Self.alice, now: 0))
        let principal = tickets.redeem(String(repeating: "\u{301}\u{323}", count: 2_000_000), now: 0)
        #expect(principal == nil)
    }

    @Test
    func boundOfOneSubject() throws {
        let tickets = Tickets(maximumCount: 100, maximumPerSubject: 2)
        let first = try Self.ticket(tickets.issue(to: Self.alice, now: 0))
        _ = try Self.ticket(tickets.issue(to: Self.alice, now: 10_000_000_000))
        #expect(tickets.issue(to: Self.alice, now: 10_000_000_001) == .tooManyOfSubject(retryAfter: 20))
        _ = try Self.ticket(tickets.issue(to: Self.bob, now: 10_000_000_001))
        // One that is used makes room, and so does one that has expired.
        #expect(tickets.redeem(first, now: 11_000_000_000) != nil)
        _ = try Self.ticket(tickets.issue(to: Self.alice, now: 12_000_000_000))
        #expect(tickets.issue(to: Self.alice, now: 39_999_999_999) == .tooManyOfSubject(retryAfter: 1))
        _ = try Self.ticket(tickets.issue(to: Self.alice, now: 40_000_000_000))
        #expect(tickets.refusals.ofSubjects == 2 && tickets.refusals.inAll == 0)
    }

    @Test
    func boundOfAll() throws {
        let tickets = Tickets(maximumCount: 3, maximumPerSubject: 2)
        for instant: UInt64 in [0, 1_000_000_000] { _ = try Self.ticket(tickets.issue(to: Self.alice, now: instant)) }
        let used = try Self.ticket(tickets.issue(to: Self.bob, now: 2_000_000_000))
        #expect(tickets.issue(to: Self.bob, now: 3_000_000_000) == .tooMany(retryAfter: 27))
        #expect(tickets.redeem(used, now: 3_000_000_000) != nil)
        _ = try Self.ticket(tickets.issue(to: Self.bob, now: 4_000_000_000))
        // Alice never comes for hers; they expire, one after the other.
        _ = try Self.ticket(tickets.issue(to: Self.bob, now: 30_000_000_000))
        #expect(
            tickets.issue(to: Principal(subject: "carol", expiresAt: .max), now: 30_000_000_001)
                == .tooMany(retryAfter: 1))
        _ = try Self.ticket(tickets.issue(to: Principal(subject: "carol", expiresAt: .max), now: 31_000_000_000))
        #expect(tickets.refusals.inAll == 2 && tickets.refusals.ofSubjects == 0)
    }
}
