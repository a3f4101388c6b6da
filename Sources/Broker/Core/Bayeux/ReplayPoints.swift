/// What a client wants of the past, by channel or pattern as it wrote it: `ext.replay` of a handshake, or of a subscribe.
struct ReplayPoints {
    private var points: [String: ReplayPoint] = [:]

    /// Nothing asked for.
    init() {}

    /// Reads `{"/channel": N, …}`; numbers that mean nothing, names that are not ASCII, as those of channels are, and what
    /// is more than may be subscribed to, are passed over.
    init(ext: JSONSlice, text: RawSpan, limits: Limits) {
        guard ext.kind == .object else { return }
        var members = ext.member("replay", in: text).members
        while points.count < limits.subscriptionsPerSession, let (name, value) = members.next(in: text) {
            guard let name = name.string(in: text), name.utf8.count <= limits.channelBytes, name.isPlain,
                let number = value.integer(in: text)
            else { continue }
            points[name] = ReplayPoint(number)
        }
    }

    subscript(_ pattern: ChannelPattern) -> ReplayPoint? { points[pattern.text] }
}
