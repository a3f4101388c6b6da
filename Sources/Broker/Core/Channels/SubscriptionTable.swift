/// Who gets what: the subscriptions of one event loop, by pattern.
///
/// A publication to a name of d segments costs d + 2 look-ups and one sweep over the subscribers found, however many
/// patterns and subscriptions there are, and allocates nothing once `result` is large enough. Subscribing and
/// unsubscribing are O(1). Memory follows the number of subscriptions down as well as up.
///
/// Rules: a subscriber is a handle of the owner; the owner unsubscribes it from everything before the handle goes to
/// somebody else. The table knows nothing of meta and service channels: whether a pattern may be subscribed to, and a
/// name be broadcast to, is decided before.
package struct SubscriptionTable: ~Copyable {
    /// The owner's index of a subscriber. The table keeps 4 bytes for every number up to the largest one seen, so
    /// handles should be dense: an index in a slab, reused after removal.
    package typealias Subscriber = UInt32

    /// All of one pattern.
    private struct Entry {
        /// The pattern's text, shared with the pattern that was subscribed to first.
        let text: String
        let kind: ChannelPattern.Kind
        let hash: UInt32
        let prefixCount: Int
        var subscribers = SubscriberList()

        func isPattern(withPrefix prefix: UnsafeRawBufferPointer, kind: ChannelPattern.Kind) -> Bool {
            guard kind == self.kind, prefix.count == prefixCount else { return false }
            return text.utf8.span.bytes.withUnsafeBytes { text in
                var index = 0
                while prefix.count - index >= 8 {
                    let left = prefix.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                    let right = text.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                    if left != right { return false }
                    index += 8
                }
                while index < prefix.count {
                    if prefix[index] != text[index] { return false }
                    index += 1
                }
                return true
            }
        }
    }

    /// A place of the hash table: an entry's hash, and its index plus 1; 0 marks a free place.
    private struct Place {
        var hash: UInt32 = 0
        var entry: UInt32 = 0
    }

    private let hash: ChannelHash
    /// The patterns, without gaps and in no order.
    private var entries: [Entry] = []
    /// Open addressing with linear probing; a power of two in size and at most half full, or empty.
    private var places: [Place] = []
    /// For each handle, the last sweep that took it: how one that matches twice is taken once.
    private var stamps: [UInt32] = []
    private var sweep: UInt32 = 0

    /// How many pairs of subscriber and pattern there are.
    package private(set) var subscriptionCount = 0
    /// In how many of them the pattern has a wildcard.
    package private(set) var wildcardSubscriptionCount = 0

    /// An empty table. The seed must be random and secret: it keeps strangers from choosing names that collide.
    package init(seed: UInt64) { hash = ChannelHash(seed: seed) }

    /// How many patterns have at least one subscriber.
    package var patternCount: Int { entries.count }

    /// The memory that the table holds, in bytes, without the texts of the patterns. Linear in the patterns.
    package func reservedByteCount() -> Int {
        let lists = entries.reduce(0) { $0 + $1.subscribers.reservedByteCount }
        return lists + entries.capacity * MemoryLayout<Entry>.stride + places.capacity * MemoryLayout<Place>.stride
            + stamps.capacity * MemoryLayout<UInt32>.stride
    }

    /// The pattern at a place of the list, and how many subscribers it has. The places change as patterns go.
    func entry(at index: Int) -> (text: String, subscriberCount: Int) {
        (entries[index].text, entries[index].subscribers.handles.count)
    }

    /// How many subscribers this very pattern has; others that match the same names do not count.
    package func subscriberCount(of pattern: ChannelPattern) -> Int {
        guard let place = place(of: pattern) else { return 0 }
        return entries[Int(places[place].entry) - 1].subscribers.handles.count
    }

    /// Adds a subscription; false when it was there already.
    package mutating func subscribe(_ subscriber: Subscriber, to pattern: ChannelPattern) -> Bool {
        let index: Int
        if let place = place(of: pattern) {
            index = Int(places[place].entry) - 1
        } else {
            index = entries.count
            append(pattern)
        }
        guard entries[index].subscribers.insert(subscriber) else { return false }
        subscriptionCount += 1
        if pattern.kind != .exact { wildcardSubscriptionCount += 1 }
        if Int(subscriber) >= stamps.count {
            stamps.append(contentsOf: repeatElement(0, count: Int(subscriber) + 1 - stamps.count))
        }
        return true
    }

    /// Removes a subscription; false when it was not there.
    package mutating func unsubscribe(_ subscriber: Subscriber, from pattern: ChannelPattern) -> Bool {
        guard let place = place(of: pattern) else { return false }
        let index = Int(places[place].entry) - 1
        guard entries[index].subscribers.remove(subscriber) else { return false }
        subscriptionCount -= 1
        if pattern.kind != .exact { wildcardSubscriptionCount -= 1 }
        if entries[index].subscribers.handles.isEmpty { remove(index, at: place) }
        return true
    }

    /// Appends to `result` everybody whose patterns match, each once, in no order.
    package mutating func match(_ name: ChannelName, into result: inout [Subscriber]) {
        match(validName: name.text.utf8.span.bytes, into: &result)
    }

    /// As above, for the bytes of a name that was checked when it came in. Bytes that are no name match at will, or not.
    package mutating func match(validName name: RawSpan, into result: inout [Subscriber]) {
        guard !entries.isEmpty else { return }
        let start = result.count
        var matchedPatterns = 0
        let hash = self.hash
        name.withUnsafeBytes { name in
            hash.forEachPattern(matching: name) { (hash, prefixCount, kind) in
                let prefix = UnsafeRawBufferPointer(rebasing: name[..<prefixCount])
                guard let place = place(ofPrefix: prefix, kind: kind, hash: hash) else { return }
                let index = Int(places[place].entry) - 1
                matchedPatterns += 1
                if matchedPatterns == 1 {
                    result.append(contentsOf: entries[index].subscribers.handles)
                    return
                }
                if matchedPatterns == 2 { beginSweep(taking: result, from: start) }
                for handle in entries[index].subscribers.handles where stamps[Int(handle)] != sweep {
                    stamps[Int(handle)] = sweep
                    result.append(handle)
                }
            }
        }
    }

    /// Starts a sweep, with everybody taken who is in `result` from `start` on.
    private mutating func beginSweep(taking result: borrowing [Subscriber], from start: Int) {
        if sweep == .max {
            for index in stamps.indices { stamps[index] = 0 }
            sweep = 0
        }
        sweep += 1
        for index in start..<result.count { stamps[Int(result[index])] = sweep }
    }
}

// The hash table of patterns.
extension SubscriptionTable {
    private func place(of pattern: ChannelPattern) -> Int? {
        withPrefix(of: pattern) { prefix in
            place(ofPrefix: prefix, kind: pattern.kind, hash: hash.hash(ofPrefix: prefix, kind: pattern.kind))
        }
    }

    private func place(
        ofPrefix prefix: UnsafeRawBufferPointer, kind: ChannelPattern.Kind, hash: UInt32
    ) -> Int? {
        guard !places.isEmpty else { return nil }
        var place = Int(hash) & (places.count - 1)
        while places[place].entry != 0 {
            if places[place].hash == hash,
                entries[Int(places[place].entry) - 1].isPattern(withPrefix: prefix, kind: kind)
            {
                return place
            }
            place = next(place)
        }
        return nil
    }

    private func withPrefix<Result>(
        of pattern: ChannelPattern, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        pattern.text.utf8.span.bytes.withUnsafeBytes { text in
            body(UnsafeRawBufferPointer(rebasing: text[..<pattern.prefixByteCount]))
        }
    }

    /// Adds an entry without subscribers; its first one follows at once.
    private mutating func append(_ pattern: ChannelPattern) {
        let hash = withPrefix(of: pattern) { self.hash.hash(ofPrefix: $0, kind: pattern.kind) }
        entries.append(
            Entry(text: pattern.text, kind: pattern.kind, hash: hash, prefixCount: pattern.prefixByteCount))
        if entries.count * 2 > places.count {
            refile(places: max(16, places.count * 2))
        } else {
            file(entries.count - 1)
        }
    }

    /// Removes an entry that has no subscribers left; the last entry moves into the gap.
    private mutating func remove(_ index: Int, at place: Int) {
        clear(place)
        let last = entries.count - 1
        if index != last {
            var lastPlace = Int(entries[last].hash) & (places.count - 1)
            while places[lastPlace].entry != UInt32(last + 1) { lastPlace = next(lastPlace) }
            places[lastPlace].entry = UInt32(index + 1)
            entries.swapAt(index, last)
        }
        entries.removeLast()
        shrinkIfSparse()
    }

    /// Frees a place and moves those behind it back, so that no search ends too early.
    private mutating func clear(_ place: Int) {
        let mask = places.count - 1
        var hole = place
        var other = next(place)
        while places[other].entry != 0 {
            let home = Int(places[other].hash) & mask
            if (other - home) & mask >= (other - hole) & mask {
                places[hole] = places[other]
                hole = other
            }
            other = next(other)
        }
        places[hole] = Place()
    }

    private mutating func file(_ index: Int) {
        var place = Int(entries[index].hash) & (places.count - 1)
        while places[place].entry != 0 { place = next(place) }
        places[place] = Place(hash: entries[index].hash, entry: UInt32(index + 1))
    }

    private mutating func refile(places count: Int) {
        places = [Place](repeating: Place(), count: count)
        for index in entries.indices { file(index) }
    }

    /// Gives memory back: all of it with the last pattern, three quarters once less than an eighth is used.
    private mutating func shrinkIfSparse() {
        if entries.isEmpty {
            entries = []
            places = []
            stamps = []
            sweep = 0
        } else if places.count > 64, entries.count * 16 < places.count {
            var fewer: [Entry] = []
            fewer.reserveCapacity(entries.count * 2)
            fewer.append(contentsOf: entries)
            entries = fewer
            refile(places: places.count / 4)
        }
    }

    private func next(_ place: Int) -> Int { (place + 1) & (places.count - 1) }
}
