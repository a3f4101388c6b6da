#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The `Date` of responses (RFC 9110 §6.6.1), written anew once a second. Belongs to one loop.
struct HTTPDate {
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private var second = Int64.min
    private var text = ""

    /// The time, such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7). `wall` is in milliseconds since 1970.
    mutating func text(at wall: Int64) -> String {
        let now = wall / 1000
        if now == second { return text }
        var seconds = time_t(now)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func digits(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let day = "\(Self.days[Int(parts.tm_wday)]), \(digits(parts.tm_mday)) \(Self.months[Int(parts.tm_mon)])"
        let time = "\(digits(parts.tm_hour)):\(digits(parts.tm_min)):\(digits(parts.tm_sec))"
        text = "\(day) \(parts.tm_year + 1900) \(time) GMT"
        second = now
        return text
    }
}
