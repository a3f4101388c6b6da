import BrokerCore
import Testing

@testable import BrokerFront

/// Who waits for the share of an address, and for what room for answers.
struct WaitingLinesTests {
    private static func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    @Test("In the order in which they came, and one timer for all of an address")
    func order() throws {
        var lines = WaitingLines()
        let (one, other) = (try Self.address("203.0.113.1"), try Self.address("203.0.113.2"))
        var called: [String] = []
        let begins = [("a", one), ("b", one), ("c", other), ("d", one)].map { name, address in
            lines.append({ called.append(name) }, of: address)
        }
        #expect(begins == [true, false, true, false])
        lines.next(of: one)?()
        // Whoever comes while a line is worked off does not begin another one.
        let beginsAgain = lines.append({ called.append("e") }, of: one)
        #expect(!beginsAgain)
        while let body = lines.next(of: one) { body() }
        lines.next(of: other)?()
        #expect(called == ["a", "b", "d", "e", "c"])
        let beginsAnew = lines.append({}, of: one)
        #expect(beginsAnew)
    }

    @Test("Answers that nobody takes: a bound for an address, and one in all", arguments: [32 << 20, 1 << 30])
    func untakenAnswers(bytesInAll: Int) throws {
        let most = min(32 << 20, bytesInAll / 4)
        var answers = UntakenAnswers(bytesInAll: bytesInAll)
        let (one, other) = (try Self.address("203.0.113.1"), try Self.address("203.0.113.2"))
        // The first one always has room, however large it is.
        #expect(answers.hasRoom(for: 2 * bytesInAll, of: one))
        answers.add(most, of: one)
        #expect(!answers.hasRoom(for: 1 << 20, of: one))
        #expect(answers.hasRoom(for: 1 << 10, of: one))
        #expect(answers.hasRoom(for: most, of: other))
        #expect(answers.hasRoom(for: most, of: nil))
        answers.add(bytesInAll - most, of: nil)
        #expect(!answers.hasRoom(for: 1 << 20, of: other))
        #expect(!answers.hasRoom(for: 1 << 20, of: nil))
        answers.remove(most, of: one)
        #expect(answers.hasRoom(for: most, of: one))
    }
}
