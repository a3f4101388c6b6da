import BrokerCore
import FanfareClient

/// Prints messages, or has a command run for each, and keeps the position.
struct MessageReader {
    let count: Int?
    let format: OutputFormat
    let position: PositionFile?
    let runner: CommandRunner?
    private(set) var takenCount = 0
    /// Whether it was told that some messages do not move the position.
    private var hasToldOfUnstored = false

    init(count: Int?, format: OutputFormat, position: PositionFile?, runner: CommandRunner?) {
        self.count = count
        self.format = format
        self.position = position
        self.runner = runner
    }

    var isDone: Bool { count.map { takenCount >= $0 } ?? false }

    mutating func take(_ messages: [Message]) async throws {
        // The way of most messages: no more is looked at than is printed.
        guard case .ndjson = format.style, runner == nil, position == nil else {
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
            OutputFormat.blankLineEnds(in: &output, from: start)
            output.append(format.terminator)
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
            if position != nil, message.sequence == nil { tellOfUnstored(message.channel) }
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

    /// Says once that there is no position to keep: the broker stores nothing that it is not told to.
    private mutating func tellOfUnstored(_ channel: String) {
        if hasToldOfUnstored { return }
        hasToldOfUnstored = true
        Console.say(
            "the broker does not store \(channel), so --state cannot keep a position there, and what is missed is lost; "
                + "its configuration can: channels: {\(channel): {history: 10000}}")
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
