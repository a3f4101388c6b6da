import Support
import Testing

@testable import BrokerCore

/// The account of all queues against a plain table of them.
@Suite("Weights of queues")
struct QueueWeightsTests {
    @Test("The total is that of all, and the heaviest is within a factor of two", arguments: 1...8)
    func heaviest(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var weights = QueueWeights()
        var table: [UInt32: Int] = [:]
        for _ in 0..<5_000 {
            let session = UInt32.random(in: 0..<50, using: &generator)
            let after = Bool.random(using: &generator) ? 0 : 1 << Int.random(in: 0..<30, using: &generator)
            weights.change(session, from: table[session, default: 0], to: after)
            table[session] = after
            #expect(weights.total == table.values.reduce(0, +))
            let most = table.values.max() ?? 0
            #expect((weights.heaviest != nil) == (most > 0))
            if let heaviest = weights.heaviest { #expect(table[heaviest, default: 0] > most / 2) }
        }
    }
}
