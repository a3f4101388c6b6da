import ArgumentParser
import BrokerCore
import FanfareClient

/// A message to print, from a subscription or from a history.
struct Received: Sendable {
    let json: [UInt8]
    let channel: String
    let data: ArraySlice<UInt8>
    let sequence: UInt64?
    let id: String?
    let epoch: String?
    let gap: Message.Gap?

    init(_ message: Message) {
        json = message.json
        channel = message.channel
        data = message.data
        sequence = message.sequence
        id = message.id
        epoch = message.epoch
        gap = message.gap
    }

    /// An element of a history.
    init(json: [UInt8]) {
        let text = JSONText(json)
        let ext = JSONText(text.raw("ext") ?? [])
        self.json = json
        channel = text.member("channel") ?? ""
        data = (text.raw("data") ?? [])[...]
        sequence = ext.integer("seq").flatMap { UInt64(exactly: $0) }
        id = text.member("id")
        epoch = ext.member("epoch")
        gap = nil
    }
}

/// How a message is printed.
enum OutputFormat: Sendable {
    case ndjson, raw, pretty
    case template([Part])

    enum Part: Sendable {
        case text([UInt8])
        case channel, data, sequence, id
    }

    init(_ text: String) throws {
        switch text {
        case "ndjson": self = .ndjson
        case "raw": self = .raw
        case "pretty": self = .pretty
        default:
            guard text.contains("%") else {
                throw ValidationError("--format is ndjson, raw, pretty or a template with %{data}, not \(text)")
            }
            self = .template(try Self.parts(of: text))
        }
    }

    private static func parts(of text: String) throws -> [Part] {
        var parts: [Part] = []
        var plain: [UInt8] = []
        var rest = text[...]
        let names: [(String, Part)] = [
            ("%{channel}", .channel), ("%{data}", .data), ("%{seq}", .sequence), ("%{id}", .id),
            ("%%", .text([UInt8(ascii: "%")])), ("\\n", .text([10])), ("\\t", .text([9])),
        ]
        while let first = rest.first {
            if let (name, part) = names.first(where: { rest.hasPrefix($0.0) }) {
                if !plain.isEmpty { parts.append(.text(plain)) }
                plain = []
                parts.append(part)
                rest = rest.dropFirst(name.count)
            } else if first == "%" {
                throw ValidationError(
                    "--format knows %{channel}, %{data}, %{seq}, %{id} and %%, not \(rest.prefix(12))")
            } else {
                plain += String(first).utf8
                rest = rest.dropFirst()
            }
        }
        return plain.isEmpty ? parts : parts + [.text(plain)]
    }

    /// Appends the message and a line end.
    func append(_ message: Received, to line: inout [UInt8]) {
        switch self {
        case .ndjson: Self.append(message.json[...], to: &line)
        case .raw: Self.append(message.data, to: &line)
        case .pretty:
            line += message.channel.utf8
            if let sequence = message.sequence { line += " #\(sequence)".utf8 }
            line.append(UInt8(ascii: " "))
            Self.append(message.data, to: &line)
        case .template(let parts):
            for part in parts {
                switch part {
                case .text(let text): line += text
                case .channel: line += message.channel.utf8
                case .data: Self.append(message.data, to: &line)
                case .sequence: line += (message.sequence.map(String.init) ?? "").utf8
                case .id: line += (message.id ?? "").utf8
                }
            }
        }
        line.append(UInt8(ascii: "\n"))
    }

    /// On one line: a line end in JSON is white space, never part of a string.
    private static func append(_ json: ArraySlice<UInt8>, to line: inout [UInt8]) {
        let start = line.count
        line += json
        if json.contains(where: { $0 < 0x20 }) {
            for index in start..<line.count where line[index] == 10 || line[index] == 13 { line[index] = 32 }
        }
    }
}

/// Prints messages, or has a command run for each, and keeps the position.
struct MessageReader {
    let count: Int?
    let format: OutputFormat
    let position: PositionFile?
    let runner: CommandRunner?
    private(set) var takenCount = 0

    init(count: Int?, format: OutputFormat, position: PositionFile?, runner: CommandRunner?) {
        self.count = count
        self.format = format
        self.position = position
        self.runner = runner
    }

    var isDone: Bool { count.map { takenCount >= $0 } ?? false }

    mutating func take(_ messages: [Message]) async throws {
        // The way of most messages: no more is looked at than is printed.
        guard case .ndjson = format, runner == nil, position == nil else {
            return try await take(messages.map { Received($0) })
        }
        var output: [UInt8] = []
        for message in messages where !isDone {
            if let gap = message.gap {
                tell(gap, of: message.channel)
                continue
            }
            let start = output.count
            output += message.json
            if message.json.contains(where: { $0 == 10 || $0 == 13 }) {
                for index in start..<output.count where output[index] == 10 || output[index] == 13 {
                    output[index] = 32
                }
            }
            output.append(10)
            takenCount += 1
        }
        try Console.write(output)
    }

    mutating func take(_ messages: [Received]) async throws {
        var output: [UInt8] = []
        var end: Received?
        for message in messages where !isDone {
            if let gap = message.gap {
                tell(gap, of: message.channel)
                continue
            }
            takenCount += 1
            if let runner {
                var input: [UInt8] = []
                format.append(message, to: &input)
                try await runner.start(message, input: input)
            } else {
                format.append(message, to: &output)
                if message.sequence != nil { end = message }
            }
        }
        try Console.write(output)
        if let end, let sequence = end.sequence { try position?.note(sequence, epoch: end.epoch) }
    }

    private func tell(_ gap: Message.Gap, of channel: String) {
        let range = gap.from.flatMap { from in gap.to.map { " (\(from) to \($0))" } } ?? ""
        Console.say("messages of \(channel) are lost\(gap.count.map { ": \($0)" } ?? "")\(range)")
    }

    /// Writes how far it is.
    func savePosition() throws { try position?.save() }

    /// Waits for the commands, and writes the position.
    func finish() async throws {
        do {
            try await runner?.finish()
        } catch {
            try? position?.save()
            throw error
        }
        try position?.save()
    }
}
