import BrokerCore
import Support
import Testing

@Suite("Token buckets")
struct TokenBucketTests {
    private static let second: UInt64 = 1_000_000_000
    private let start: UInt64 = 5 * second

    @Test
    func burstThenRate() {
        let rate = Rate(10, burst: 3)
        var bucket = TokenBucket()
        for _ in 0..<3 { #expect(bucket.take(of: rate, now: start) == nil) }
        #expect(bucket.take(of: rate, now: start) == Self.second / 10)
        // To ask costs nothing.
        #expect(bucket.take(of: rate, now: start) == Self.second / 10)
        #expect(bucket.take(of: rate, now: start + Self.second / 10) == nil)
        #expect(bucket.take(of: rate, now: start + Self.second / 10) != nil)
        // After a rest it is full, and not fuller.
        for _ in 0..<3 { #expect(bucket.take(of: rate, now: start + 60 * Self.second) == nil) }
        #expect(bucket.take(of: rate, now: start + 60 * Self.second) != nil)
    }

    @Test
    func costs() {
        let rate = Rate(1_000, burst: 5_000)
        var bucket = TokenBucket()
        #expect(bucket.take(4_000, of: rate, now: start) == nil)
        #expect(bucket.take(2_000, of: rate, now: start) == Self.second)
        #expect(bucket.take(1_000, of: rate, now: start) == nil)
        // What is larger than the bucket goes when it is full: it would never go otherwise.
        #expect(bucket.take(1 << 40, of: rate, now: start + Self.second) == 4 * Self.second)
        #expect(bucket.take(1 << 40, of: rate, now: start + 5 * Self.second) == nil)
        #expect(bucket.take(0, of: rate, now: start + 10 * Self.second) == nil)
    }

    /// What has been used already is charged, however much it is; it is paid off as time goes by.
    @Test
    func debts() {
        let rate = Rate(1_000, burst: 2_000)
        var bucket = TokenBucket()
        #expect(bucket.debt(of: rate, now: start) == 0)
        bucket.charge(2_000, of: rate, now: start)
        #expect(bucket.debt(of: rate, now: start) == 0)
        bucket.charge(3_000, of: rate, now: start)
        #expect(bucket.debt(of: rate, now: start) == 3 * Self.second)
        #expect(bucket.take(of: rate, now: start) != nil)
        #expect(bucket.debt(of: rate, now: start + 2 * Self.second) == Self.second)
        #expect(bucket.debt(of: rate, now: start + 3 * Self.second) == 0)
        bucket.charge(.max, of: rate, now: .max)
        _ = bucket.debt(of: rate, now: 0)

        var table = BucketTable<Int>(capacity: 4)
        table.charge(5_000, to: 1, of: rate, now: start)
        #expect(table.debt(of: 1, of: rate, now: start) == 3 * Self.second)
        #expect(table.debt(of: 2, of: rate, now: start) == 0)
        #expect(table.count == 1)
    }

    @Test
    func extremes() {
        var bucket = TokenBucket()
        let slow = Rate(1, per: .seconds(1_000_000_000), burst: .max)
        #expect(bucket.take(.max, of: slow, now: .max) == nil)
        // A clock that goes back: no overflow, whatever the answer.
        _ = bucket.take(.max, of: slow, now: 0)
        var other = TokenBucket()
        let fast = Rate(.max, burst: 1)
        for now in 0..<100 as Range<UInt64> { #expect(other.take(of: fast, now: now) == nil) }
    }

    /// Whatever is asked for, and when: never more than the burst and what the time since then allows.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func neverMoreThanAllowed(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let rate = Rate(Int.random(in: 1...50, using: &random), burst: Int.random(in: 1...100, using: &random))
        var bucket = TokenBucket()
        var (now, taken) = (start, 0)
        for _ in 0..<2_000 {
            now += UInt64.random(in: 0...Self.second / 10, using: &random)
            let cost = Int.random(in: 1...3, using: &random)
            if cost <= rate.burst, bucket.take(cost, of: rate, now: now) == nil { taken += cost }
            let allowed = Double(rate.burst) + Double(rate.count) * Double(now - start) / Double(Self.second)
            #expect(Double(taken) <= allowed + 0.001)
        }
    }

    @Test
    func tableIsBounded() {
        var table = BucketTable<Int>(capacity: 100)
        let rate = Rate(1, burst: 1)
        #expect(table.take(from: -1, of: rate, now: start) == nil)
        for key in 0..<10_000 {
            #expect(table.take(from: key, of: rate, now: start) == nil)
            #expect(table.take(from: key, of: rate, now: start) != nil)
            // Whoever goes on is remembered, however many others come.
            #expect(table.take(from: -1, of: rate, now: start) != nil)
            #expect(table.count <= 100)
        }
    }
}
