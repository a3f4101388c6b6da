import FanfareClient

/// The last messages of some channels, over HTTP.
struct LastMessages {
    private(set) var messages: [Received] = []
    /// The place in the log behind which nothing was looked at; nil if the channels keep nothing.
    private(set) var end: PositionFile.Position?

    /// None.
    init() {}

    init(_ count: Int?, of channels: [String], _ configuration: ClientConfiguration) async throws {
        guard let count else { return }
        let http = try HTTPConnection(configuration)
        var ends: [UInt64] = []
        for channel in channels {
            ends.append(try await read(channel, since: 0, to: .max, count, over: http))
        }
        // Once more, up to what has been seen: while one was read, another may have got what comes before its end.
        if let end, channels.count > 1 {
            for (channel, start) in zip(channels, ends) {
                _ = try await read(channel, since: start, to: end.sequence, count, over: http)
            }
        }
        await http.close()
    }

    /// Returns how far it has come.
    private mutating func read(
        _ channel: String, since start: UInt64, to last: UInt64, _ count: Int, over http: HTTPConnection
    ) async throws -> UInt64 {
        var history = History(of: channel, since: start, over: http)
        while history.position < last {
            let page = try await history.next(limit: 10_000)
            guard let newest = page.last, let sequence = newest.sequence else { break }
            if sequence <= last, sequence > end?.sequence ?? 0 { end = .init(sequence: sequence, epoch: newest.epoch) }
            messages += page.filter { $0.sequence ?? 0 <= last }
            messages = Array(messages.sorted { ($0.sequence ?? 0) < ($1.sequence ?? 0) }.suffix(count))
        }
        return history.position
    }
}
