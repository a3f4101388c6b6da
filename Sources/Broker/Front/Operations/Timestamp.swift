#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Instants as logs and the administrator's pages show them.
package enum Timestamp {
    /// Such as `1994-11-06T08:49:37.123Z` (RFC 3339). `wall` is in milliseconds since 1970.
    package static func text(_ wall: Int64) -> String {
        var seconds = time_t(wall.dividedRoundingDown(by: 1000))
        let rest = Int(wall - Int64(seconds) * 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func digits(_ number: Int, _ count: Int) -> String {
            let text = "\(number)"
            return String(repeating: "0", count: max(count - text.count, 0)) + text
        }
        let date = [Int(parts.tm_mon) + 1, Int(parts.tm_mday)].map { digits($0, 2) }.joined(separator: "-")
        let time = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { digits(Int($0), 2) }.joined(separator: ":")
        return "\(digits(Int(parts.tm_year) + 1900, 4))-\(date)T\(time).\(digits(rest, 3))Z"
    }
}

extension Int64 {
    fileprivate func dividedRoundingDown(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
