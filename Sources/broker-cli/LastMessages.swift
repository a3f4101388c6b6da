import FanfareClient

/// The end of the channels' histories, over HTTP.
struct LastMessages {
    private(set) var messages: [Received] = []
    /// What has to be asked for again, because a channel was read before another.
    private(set) var position: UInt64?

    init(_ count: Int?, of channels: [String], _ configuration: ClientConfiguration) async throws {
        guard let count else { return }
        let http = try HTTPConnection(configuration)
        for channel in channels {
            var page: [Received] = []
            var end: UInt64 = 0
            repeat {
                page = try await History.read(channel, since: end, limit: 10_000, over: http)
                end = page.last?.sequence ?? end
                messages = Array((messages + page).sorted { ($0.sequence ?? 0) < ($1.sequence ?? 0) }.suffix(count))
            } while page.count == 10_000
            if end > 0 { position = min(position ?? end, end) }
        }
        await http.close()
    }

    func contains(_ message: Message) -> Bool {
        guard let sequence = message.sequence, !messages.isEmpty else { return false }
        return messages.contains { $0.sequence == sequence }
    }
}
