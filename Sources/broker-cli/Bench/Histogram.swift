/// Times in nanoseconds, counted in buckets that are at most 1/64 of their value wide.
struct Histogram: Sendable {
    private static let subBits = 6
    private static let subCount = 1 << subBits

    private var counts = [UInt64](repeating: 0, count: (64 - subBits + 1) << subBits)
    private(set) var count: UInt64 = 0
    private(set) var smallest = UInt64.max
    private(set) var largest: UInt64 = 0

    mutating func record(_ value: UInt64) {
        counts[Self.bucket(of: value)] += 1
        count += 1
        smallest = min(smallest, value)
        largest = max(largest, value)
    }

    mutating func add(_ other: Histogram) {
        for index in counts.indices { counts[index] += other.counts[index] }
        count += other.count
        smallest = min(smallest, other.smallest)
        largest = max(largest, other.largest)
    }

    /// The value that this part (0 to 1) of all values does not exceed, but for the width of a bucket; 0 without values.
    func value(at part: Double) -> UInt64 {
        guard count > 0 else { return 0 }
        let rank = max(UInt64((part * Double(count)).rounded(.up)), 1)
        var seen: UInt64 = 0
        for (index, number) in counts.enumerated() where number > 0 {
            seen += number
            if seen >= rank { return min(Self.highest(in: index), largest) }
        }
        return largest
    }

    /// Values below 64 have a bucket of their own; above, each power of two has 64.
    private static func bucket(of value: UInt64) -> Int {
        guard value >= UInt64(subCount) else { return Int(value) }
        let shift = 63 - value.leadingZeroBitCount - subBits
        return ((shift + 1) << subBits) + Int(value >> UInt64(shift)) - subCount
    }

    private static func highest(in bucket: Int) -> UInt64 {
        guard bucket >= subCount else { return UInt64(bucket) }
        let shift = UInt64((bucket >> subBits) - 1)
        let lowest = UInt64(subCount + (bucket & (subCount - 1))) << shift
        return lowest + (1 << shift) - 1
    }
}
