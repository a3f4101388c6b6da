/// What the clocks say when an input arrives; Core owns no clock, its owner passes this in.
package struct Moment: Sendable, Equatable {
    /// A monotonic clock, in nanoseconds: deadlines are counted in it.
    package var monotonic: UInt64
    /// The wall clock, in milliseconds since 1970: what is written down, such as a time to live.
    package var wall: Int64

    /// A reading of both clocks.
    package init(monotonic: UInt64, wall: Int64) {
        self.monotonic = monotonic
        self.wall = wall
    }

    /// The monotonic instant that lies `duration` after this one; saturates.
    package func adding(_ duration: Duration) -> UInt64 {
        let (sum, overflow) = monotonic.addingReportingOverflow(duration.nanosecondsClamped)
        return overflow ? .max : sum
    }
}

extension Duration {
    /// The duration in whole nanoseconds, from 0 to 2⁶⁴−1.
    package var nanosecondsClamped: UInt64 {
        guard self > .zero else { return 0 }
        let (seconds, attoseconds) = components
        let (whole, tooLong) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow) = whole.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000))
        return tooLong || overflow ? .max : sum
    }

    /// The duration in whole milliseconds, from 0 on, as Bayeux's advice counts.
    package var milliseconds: Int {
        Int(clamping: nanosecondsClamped / 1_000_000)
    }
}
