/// What a session is subscribed to. Most sessions have one subscription or a few, which are looked up in a list: a
/// dictionary of one takes twice the memory.
struct SessionSubscriptions {
    struct Entry {
        let pattern: ChannelPattern
        /// The end of the log when it was subscribed to.
        let since: UInt64
    }
    /// So many are looked up in the list.
    static let few = 8

    private(set) var entries: [Entry] = []
    /// Where they are in the list, once they have been more than a few.
    private var places: [ChannelPattern: Int] = [:]

    var count: Int { entries.count }
    /// The patterns, in the order of the list.
    var patterns: some Collection<ChannelPattern> { entries.lazy.map(\.pattern) }

    func contains(_ pattern: ChannelPattern) -> Bool { place(of: pattern) != nil }

    private func place(of pattern: ChannelPattern) -> Int? {
        places.isEmpty ? entries.firstIndex { $0.pattern == pattern } : places[pattern]
    }

    /// Whether it was not there before.
    mutating func insert(_ pattern: ChannelPattern, since: UInt64) -> Bool {
        guard !contains(pattern) else { return false }
        entries.append(Entry(pattern: pattern, since: since))
        if !places.isEmpty {
            places[pattern] = entries.count - 1
        } else if entries.count > Self.few {
            for (place, entry) in entries.enumerated() { places[entry.pattern] = place }
        }
        return true
    }

    /// Whether it was there. The last one takes its place.
    mutating func remove(_ pattern: ChannelPattern) -> Bool {
        guard let place = place(of: pattern) else { return false }
        let last = entries.removeLast()
        if place < entries.count { entries[place] = last }
        if !places.isEmpty {
            places[last.pattern] = place
            places[pattern] = nil
        }
        return true
    }
}
