import Testing

@testable import BrokerFront

/// Who takes slowly goes on, who takes nothing is found out.
@Suite struct WriteProgressTests {
    /// What waits at some moment (s), and what was given to be written so far.
    struct Look: Sendable {
        let at: UInt64
        let waiting: Int
        var given = 0
    }
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let looks: [Look]
        /// At which of them it is stuck, with a limit of ten seconds.
        let stuck: [UInt64]
        var testDescription: String { name }
    }

    static let rows = [
        Row(name: "nothing waits", looks: [Look(at: 100, waiting: 0), Look(at: 200, waiting: 0)], stuck: []),
        Row(
            name: "nothing moves",
            looks: [Look(at: 100, waiting: 5), Look(at: 109, waiting: 5), Look(at: 110, waiting: 5)], stuck: [110]),
        Row(
            name: "a byte moves",
            looks: [
                Look(at: 100, waiting: 5), Look(at: 109, waiting: 4), Look(at: 118, waiting: 4),
                Look(at: 119, waiting: 4),
            ], stuck: [119]),
        Row(
            name: "more is given than moves",
            looks: [
                Look(at: 100, waiting: 5, given: 5), Look(at: 109, waiting: 9, given: 10),
                Look(at: 118, waiting: 13, given: 15),
            ], stuck: []),
        Row(
            name: "only what is given moves the number",
            looks: [
                Look(at: 100, waiting: 5, given: 5), Look(at: 105, waiting: 8, given: 8),
                Look(at: 110, waiting: 20, given: 20),
            ], stuck: [110]),
        Row(
            name: "it was empty in between",
            looks: [
                Look(at: 100, waiting: 5), Look(at: 105, waiting: 0), Look(at: 109, waiting: 5),
                Look(at: 118, waiting: 5), Look(at: 119, waiting: 5),
            ], stuck: [119]),
    ]

    @Test(arguments: rows)
    func stuck(row: Row) {
        var progress = WriteProgress()
        var stuck: [UInt64] = []
        for look in row.looks {
            let second: UInt64 = 1_000_000_000
            let isStuck = progress.isStuck(
                waitingBytes: look.waiting, givenBytes: look.given, now: look.at * second, limit: 10 * second)
            if isStuck { stuck.append(look.at) }
        }
        #expect(stuck == row.stuck)
    }
}
