import FanfareClient

/// A channel's history over HTTP, page by page, as far as it goes when it is read: who publishes as fast as it is read keeps
/// nobody from its end.
struct History {
    private let channel: String
    private let http: HTTPConnection
    /// The number of the last message that was read, or where it begins.
    private(set) var position: UInt64
    /// Behind that there was nothing. It is looked for when there have been so many pages: most histories end before.
    private var end = UInt64.max
    private var pageCount = 0
    private static let pagesWithoutEnd = 2

    init(of channel: String, since position: UInt64, over http: HTTPConnection) {
        self.channel = channel
        self.position = position
        self.http = http
    }

    /// The next messages, at most `limit` of them, or fewer if the broker gives no more at a time; none at the end.
    mutating func next(limit: Int) async throws -> [Received] {
        if pageCount == Self.pagesWithoutEnd, position < end { end = try await findEnd() }
        guard position < end else { return [] }
        let page = try await read(since: position, limit: limit)
        pageCount += 1
        if let last = page.last?.sequence, last > position {
            position = last
        } else {
            end = position
        }
        return page
    }

    /// A number behind which there is nothing by now, in twice as many requests as it has binary digits at most. Answers
    /// have no such number.
    private func findEnd() async throws -> UInt64 {
        // Nothing is behind `high`, once that was asked; something is behind `low`, if it is not the position.
        var (low, high) = (position, position)
        while high < .max {
            let step = max(high - position, 1)
            high = step < UInt64.max - high ? high + step : .max
            if try await read(since: high, limit: 1).isEmpty { break }
            low = high
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if try await read(since: middle, limit: 1).isEmpty { high = middle } else { low = middle }
        }
        return high
    }

    private func read(since: UInt64, limit: Int) async throws -> [Received] {
        let path = HTTPConnection.path(of: channel) + "?since=\(since)&limit=\(limit)"
        let answer = try await http.send("GET", path)
        guard answer.status == 200 else { throw CLIError(answer, channel) }
        let text = JSONText(answer.body)
        guard text.isArray else {
            throw CLIError.unreachable("\(channel): what answers is no broker, or its answer cannot be read")
        }
        return text.elements.map { Received(json: $0) }
    }
}
