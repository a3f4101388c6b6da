import FanfareClient

/// The last messages of some channels, over HTTP.
struct LastMessages {
    private(set) var messages: [Received] = []
    /// The place in the log behind which nothing was looked at; nil if the channels keep nothing.
    private(set) var end: PositionFile.Position?

    init(_ count: Int?, of channels: [String], _ configuration: ClientConfiguration) async throws {
        guard let count else { return }
        let http = try HTTPConnection(configuration)
        var ends = [UInt64](repeating: 0, count: channels.count)
        for (index, channel) in channels.enumerated() {
            try await read(channel, from: &ends[index], to: .max, count, over: http)
        }
        // Once more, up to what has been seen: while one was read, another may have got what comes before its end.
        if let end, channels.count > 1 {
            for (index, channel) in channels.enumerated() {
                try await read(channel, from: &ends[index], to: end.sequence, count, over: http)
            }
        }
        await http.close()
    }

    private mutating func read(
        _ channel: String, from start: inout UInt64, to last: UInt64, _ count: Int, over http: HTTPConnection
    ) async throws {
        while start < last {
            let page = try await History.read(channel, since: start, limit: 10_000, over: http)
            guard let newest = page.last, let sequence = newest.sequence, sequence > start else { return }
            start = sequence
            if sequence <= last, sequence > end?.sequence ?? 0 { end = .init(sequence: sequence, epoch: newest.epoch) }
            messages += page.filter { $0.sequence ?? 0 <= last }
            messages = Array(messages.sorted { ($0.sequence ?? 0) < ($1.sequence ?? 0) }.suffix(count))
        }
    }
}
