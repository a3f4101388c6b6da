/// Amounts of bytes as they stand in a configuration.
enum ByteAmount {
    private static let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]

    /// The bytes that `64KiB`, `1MiB`, `2GiB` or a plain number stand for; nil for anything else, and for too many.
    static func parse(_ text: String) -> Int? {
        let unit = units.first { text.hasSuffix($0.0) }
        guard let number = Int(text.dropLast(unit?.0.count ?? 0)), number >= 0 else { return nil }
        let (bytes, isTooMuch) = number.multipliedReportingOverflow(by: unit?.1 ?? 1)
        return isTooMuch ? nil : bytes
    }

    /// The largest unit of which it is a whole number.
    static func format(_ bytes: Int) -> String {
        guard bytes > 0, let unit = units.first(where: { bytes.isMultiple(of: $0.1) }) else { return String(bytes) }
        return "\(bytes / unit.1)\(unit.0)"
    }
}

/// Times as they stand in a configuration.
enum TimeSpan {
    private static let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)]
    /// Some thirty years: beyond it, deadlines no longer fit into what counts them.
    private static let maximum = 1e9

    /// What `500ms`, `30s`, `5m`, `1h`, `1d` or a plain number of seconds stand for, if it is above 0.
    static func parse(_ text: String) -> Duration? {
        let unit = text.hasSuffix("ms") ? units.last : units.first { text.hasSuffix($0.0) }
        guard let number = Double(text.dropLast(unit?.0.count ?? 0)) else { return nil }
        let seconds = number * Double(unit?.1 ?? 1000) / 1000
        guard seconds >= 0.001, seconds <= maximum else { return nil }
        return .milliseconds(Int64(seconds * 1000))
    }

    /// The largest unit of which it is a whole number.
    static func format(_ time: Duration) -> String {
        let milliseconds = Int(time / .milliseconds(1))
        let unit = units.first { milliseconds.isMultiple(of: $0.1) } ?? ("ms", 1)
        return "\(milliseconds / unit.1)\(unit.0)"
    }
}
