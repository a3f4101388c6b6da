import FanfareClient
import Support
import Testing

/// The times between attempts to connect.
struct BackoffTests {
    @Test
    func fullJitterUnderABoundThatDoubles() {
        let backoff = Backoff()
        var generator = SeededGenerator(seed: 1)
        for (failures, bound) in [(0, 0.5), (1, 1), (2, 2), (5, 16), (6, 20), (1_000_000, 20)] {
            var longest = Duration.zero
            for _ in 0..<1000 {
                let delay = backoff.delay(afterFailures: failures, floor: .zero, using: &generator)
                #expect(delay >= .zero)
                #expect(delay <= .seconds(bound))
                longest = max(longest, delay)
            }
            #expect(longest > .seconds(bound * 0.95))
        }
    }

    @Test
    func adviceIsAFloor() {
        var generator = SeededGenerator(seed: 2)
        let delay = Backoff().delay(afterFailures: 0, floor: .seconds(30), using: &generator)
        #expect(delay == .seconds(30))
    }
}
