import BrokerCore
// Where an optimised build finds C's types, since X509 imports it.
import CoreFoundation
import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The clocks that Front reads for those parts that own none.
enum SystemClock {
    /// The monotonic clock, in nanoseconds.
    static var monotonic: UInt64 { NIODeadline.now().uptimeNanoseconds }

    /// Both clocks.
    static var now: Moment { Moment(monotonic: monotonic, wall: wallMilliseconds) }

    private static var wallMilliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
