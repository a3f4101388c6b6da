import Foundation

/// Numbers for people.
enum Quantity {
    /// The time, such as `2026-02-01T12:03:04.567Z`.
    static var now: String { Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)) }

    /// `1 publisher`, `2 publishers`.
    static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

    /// `1.24 s`, `3.1 ms`, `840 µs`.
    static func seconds(_ value: Double) -> String {
        switch value {
        case ..<1e-3: "\(short(value * 1e6)) µs"
        case ..<1: "\(short(value * 1e3)) ms"
        default: "\(short(value)) s"
        }
    }

    /// `123,456/s`.
    static func rate(_ value: Double) -> String { "\(grouped(value))/s" }

    /// `1.4 MB`.
    static func bytes(_ value: Double) -> String {
        switch value {
        case ..<1e3: "\(short(value)) B"
        case ..<1e6: "\(short(value / 1e3)) kB"
        case ..<1e9: "\(short(value / 1e6)) MB"
        default: "\(short(value / 1e9)) GB"
        }
    }

    /// With a comma between thousands.
    static func grouped(_ value: Double) -> String {
        let digits = value < 10 && value != value.rounded() ? short(value) : String(Int(value.rounded()))
        guard !digits.contains("."), digits.count > 3 else { return digits }
        var result = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { result += "," }
            result.append(digit)
        }
        return result
    }

    /// Three digits.
    private static func short(_ value: Double) -> String {
        value >= 100 ? String(Int(value.rounded())) : String(format: value >= 10 ? "%.1f" : "%.2f", value)
    }
}
