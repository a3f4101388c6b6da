#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The `Last-Modified` of the files that are compiled into the program: when the broker was started, since another program
/// has others (RFC 9110 §8.8.2).
struct FileDate {
    /// As the field says it.
    let text: String
    private let second: Int64

    /// `wall` is in milliseconds since 1970.
    init(at wall: Int64) {
        second = wall / 1000
        var date = HTTPDate()
        text = date.text(at: wall)
    }

    /// Whether files from this date on are known to a client that has those of `condition` (`If-Modified-Since`); what is
    /// no date means nothing (RFC 9110 §13.1.3).
    func isKnown(since condition: String) -> Bool {
        Self.seconds(of: condition).map { $0 >= second } ?? false
    }

    /// The seconds since 1970 of a date in any of the three forms that there are (RFC 9110 §5.6.7): `Sun, 06 Nov 1994
    /// 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`.
    private static func seconds(of text: String) -> Int64? {
        var words = text.split { " ,-:".contains($0) }[...]
        switch words.count {
        case 8 where words.last == "GMT": words = [words[2], words[1], words[4], words[5], words[6], words[3]]
        case 7: words = words.dropFirst()
        case _: return nil
        }
        guard let month = HTTPDate.months.firstIndex(of: String(words.removeFirst())) else { return nil }
        let numbers = words.compactMap { Int32($0) }
        guard numbers.count == 5, numbers.allSatisfy({ 0...9999 ~= $0 }) else { return nil }
        var parts = tm()
        parts.tm_mon = Int32(month)
        parts.tm_mday = numbers[0]
        parts.tm_hour = numbers[1]
        parts.tm_min = numbers[2]
        parts.tm_sec = numbers[3]
        // Two digits are of this century, or of the end of the last one.
        let year = numbers[4]
        parts.tm_year = year >= 100 ? year - 1900 : year >= 70 ? year : year + 100
        return Int64(timegm(&parts))
    }
}
