import ArgumentParser
import Foundation

/// How a message is printed.
struct OutputFormat: Sendable {
    enum Style: Sendable {
        case ndjson, raw, pretty
        case template([Part])
    }

    enum Part: Sendable {
        case text([UInt8])
        case channel, data, sequence, id, json, time, size
    }

    let style: Style
    /// What stands behind each message: a line end, or a NUL for `xargs -0`.
    var terminator = UInt8(ascii: "\n")
    /// Whether a person sees it in colours.
    var isColoured = false

    init(_ text: String) throws {
        switch text {
        case "ndjson": style = .ndjson
        case "raw": style = .raw
        case "pretty": style = .pretty
        default:
            guard text.contains("%") else {
                throw ValidationError("--format is ndjson, raw, pretty or a template with %{data}, not \(text)")
            }
            style = .template(try Self.parts(of: text))
        }
    }

    private static let names: [(String, Part)] = [
        ("%{channel}", .channel), ("%{data}", .data), ("%{seq}", .sequence), ("%{id}", .id), ("%{json}", .json),
        ("%{time}", .time), ("%{size}", .size), ("%%", .text([UInt8(ascii: "%")])), ("\\n", .text([10])),
        ("\\t", .text([9])), ("\\0", .text([0])), ("\\e", .text([27])), ("\\\\", .text([UInt8(ascii: "\\")])),
    ]

    private static func parts(of text: String) throws -> [Part] {
        var parts: [Part] = []
        var plain: [UInt8] = []
        var rest = text[...]
        while let first = rest.first {
            if let (name, part) = names.first(where: { rest.hasPrefix($0.0) }) {
                if !plain.isEmpty { parts.append(.text(plain)) }
                plain = []
                parts.append(part)
                rest = rest.dropFirst(name.count)
            } else if first == "%" {
                throw ValidationError(
                    "--format knows %{channel}, %{data}, %{seq}, %{id}, %{json}, %{time}, %{size} and %%, not \(rest.prefix(12))"
                )
            } else {
                plain += String(first).utf8
                rest = rest.dropFirst()
            }
        }
        return plain.isEmpty ? parts : parts + [.text(plain)]
    }

    /// Appends the message and what stands behind it.
    func append(_ message: Received, to line: inout [UInt8]) {
        switch style {
        case .ndjson: Self.append(message.json[...], to: &line)
        case .raw: Self.append(message.data, to: &line)
        case .pretty: appendPretty(message, to: &line)
        case .template(let parts):
            for part in parts {
                switch part {
                case .text(let text): line += text
                case .channel: line += message.channel.utf8
                case .data: Self.append(message.data, to: &line)
                case .sequence: line += (message.sequence.map(String.init) ?? "").utf8
                case .id: line += (message.id ?? "").utf8
                case .json: Self.append(message.json[...], to: &line)
                case .time: line += Quantity.now.utf8
                case .size: line += String(message.data.count).utf8
                }
            }
        }
        line.append(terminator)
    }

    private func appendPretty(_ message: Received, to line: inout [UInt8]) {
        let (bold, dim, plain) = isColoured ? ("\u{1B}[1;36m", "\u{1B}[2m", "\u{1B}[0m") : ("", "", "")
        line += "\(bold)\(Console.harmless(onOneLine: message.channel))\(plain) ".utf8
        if let sequence = message.sequence { line += "\(dim)#\(sequence)\(plain) ".utf8 }
        if message.isRetained { line += "\(dim)retained\(plain) ".utf8 }
        Self.append(Array(Console.harmless(json: message.data).utf8)[...], to: &line)
    }

    /// On one line: a line end in JSON is white space, never part of a string.
    private static func append(_ json: ArraySlice<UInt8>, to line: inout [UInt8]) {
        let start = line.count
        line += json
        blankLineEnds(in: &line, from: start)
    }

    /// Makes blanks of the line ends behind `start`.
    static func blankLineEnds(in line: inout [UInt8], from start: Int) {
        let hasControls = line.withUnsafeBufferPointer { bytes in
            var lowest: UInt8 = 0xFF
            for index in start..<bytes.count { lowest = min(lowest, bytes[index]) }
            return lowest < 0x20
        }
        guard hasControls else { return }
        for index in start..<line.count where line[index] == 10 || line[index] == 13 { line[index] = 32 }
    }
}
