import Logging

/// One event of the log.
struct LogLine: Sendable {
    /// ms since 1970
    let wall: Int64
    let level: Logger.Level
    let label: String
    let message: String
    var fields: [(String, String)]

    /// The line, without its end.
    func text(_ format: LogFormat) -> String {
        let time = Timestamp.text(wall)
        guard format == .json else {
            let parts = fields.map { "\(Self.plain($0.0))=\(Self.plain($0.1))" }
            return ([time, level.rawValue, Self.escaped(message, quote: false)] + parts).joined(separator: " ")
        }
        let all =
            [("time", time), ("level", level.rawValue), ("logger", label), ("message", message)]
            + fields.map {
                // A field of that name would be there twice.
                (["time", "level", "logger", "message"].contains($0.0) ? $0.0 + "_" : $0.0, $0.1)
            }
        let members = all.map { "\"\(Self.escaped($0.0, quote: true))\":\"\(Self.escaped($0.1, quote: true))\"" }
        return "{" + members.joined(separator: ",") + "}"
    }

    /// As it is, or in quotes if it would not be one word.
    private static func plain(_ text: String) -> String {
        let isWord =
            !text.isEmpty
            && text.unicodeScalars.allSatisfy {
                $0.value > 0x20 && $0.value != 0x7f && $0 != "\"" && $0 != "\\" && $0 != "="
            }
        return isWord ? escaped(text, quote: false) : "\"\(escaped(text, quote: true))\""
    }

    /// Without anything that ends a line or steers a terminal.
    private static func escaped(_ text: String, quote: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"" where quote: result += "\\\""
            case "\\" where quote: result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _
            where scalar.value < 0x20 || 0x7f...0x9f ~= scalar.value || 0x2028...0x202e ~= scalar.value
                || 0x2066...0x2069 ~= scalar.value:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
