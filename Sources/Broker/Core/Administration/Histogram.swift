/// How often values fell into which range, as Prometheus counts: plain numbers of one owner.
package struct Histogram: Sendable, Equatable {
    /// Seconds, from a tenth of a millisecond to ten seconds.
    package static let seconds: [Double] = [
        0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
    /// Things that are counted, from one to four thousand.
    package static let counts: [Double] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]

    /// The upper bounds of the ranges, ascending; a last range has none.
    package let bounds: [Double]
    /// The values in each range.
    package private(set) var rangeCounts: [UInt64]
    /// The sum of all values.
    package private(set) var sum = 0.0

    /// An empty histogram.
    package init(bounds: [Double]) {
        self.bounds = bounds
        rangeCounts = Array(repeating: 0, count: bounds.count + 1)
    }

    /// Counts one value.
    package mutating func observe(_ value: Double) {
        rangeCounts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }

    /// Adds what another histogram with the same bounds has counted.
    package mutating func merge(_ other: Histogram) {
        for index in rangeCounts.indices { rangeCounts[index] += other.rangeCounts[index] }
        sum += other.sum
    }
}
