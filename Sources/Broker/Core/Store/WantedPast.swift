/// What subscriptions want of the past of a channel.
///
/// It is looked up, not sought: a name of d segments costs d + 2 look-ups and a glance at each item that matches it,
/// however many others there are.
package struct WantedPast: ~Copyable {
    /// Behind which sequence numbers it begins.
    package struct Start: Equatable, Sendable {
        /// Publications.
        package let entries: UInt64
        /// What is missing; nil if nobody is to be told.
        package let losses: UInt64?
    }
    private var patterns: [ChannelPattern] = []
    private var starts: [Start] = []
    private var table: SubscriptionTable
    /// The items that the last look-up has found.
    private var found: [SubscriptionTable.Subscriber] = []

    /// As secret as that of dictionaries: the standard library chooses it at random for each process.
    private static let seed = UInt64(truncatingIfNeeded: Hasher().finalize())

    /// What these items want, together.
    package init(of items: some Sequence<SubscriptionItem>) {
        table = SubscriptionTable(seed: Self.seed)
        for item in items {
            guard let start = item.start else { continue }
            _ = table.subscribe(UInt32(patterns.count), to: item.pattern)
            patterns.append(item.pattern)
            starts.append(Start(entries: start, losses: item.wantsLosses ? start : nil))
        }
    }

    /// Nothing that is not newer than this is wanted of any channel.
    package var earliest: UInt64 { starts.lazy.map(\.entries).min() ?? .max }

    /// The names of all channels of which something is wanted; nil if there are wildcards.
    package var names: [ChannelName]? {
        let names = patterns.compactMap { ChannelName($0) }
        return names.count == patterns.count ? names : nil
    }

    /// Patterns that stand for all channels of which something is wanted, without those that lie within another: no
    /// name matches two of them.
    package mutating func roots() -> [ChannelPattern] {
        var seen: Set<ChannelPattern> = []
        var roots: [ChannelPattern] = []
        for pattern in patterns where root(of: pattern) == pattern && seen.insert(pattern).inserted {
            roots.append(pattern)
        }
        return roots
    }

    /// Of the patterns that stand for all of a channel or pattern, the outermost one.
    package mutating func root(of pattern: ChannelPattern) -> ChannelPattern? {
        // A pattern that is taken for a name is matched by itself, and by those that it lies within. As `**` is one segment
        // then, `/a/**` is matched by `/a/*` as well; but so it is by itself, and that is further out.
        let text = pattern.text
        find(text.utf8.span.bytes)
        var root: ChannelPattern?
        for number in found {
            let other = patterns[Int(number)]
            if root.map(other.isOutside) ?? true { root = other }
        }
        return root
    }

    /// Where what is wanted of a channel begins; nil if nothing is.
    package mutating func start(in channel: ChannelName) -> Start? {
        find(channel.text.utf8.span.bytes)
        guard let first = found.first else { return nil }
        var start = starts[Int(first)]
        for number in found.dropFirst() {
            let other = starts[Int(number)]
            start = Start(
                entries: min(start.entries, other.entries),
                losses: start.losses.map { min($0, other.losses ?? $0) } ?? other.losses)
        }
        return start
    }

    /// Whether some of these items and some of the others want something of the same channel.
    package static func overlap(_ items: [SubscriptionItem], _ others: [SubscriptionItem]) -> Bool {
        // Patterns that match the same name lie within each other.
        isAny(of: items, within: others) || isAny(of: others, within: items)
    }

    /// Whether one of the items wants something of which others want all, or a part.
    private static func isAny(of items: [SubscriptionItem], within others: [SubscriptionItem]) -> Bool {
        var wanted = WantedPast(of: others)
        for item in items where item.start != nil {
            if wanted.root(of: item.pattern) != nil { return true }
        }
        return false
    }

    private mutating func find(_ name: RawSpan) {
        found.removeAll(keepingCapacity: true)
        table.match(validName: name, into: &found)
    }
}

extension ChannelPattern {
    /// Whether it stands for more than another one that matches the same name.
    fileprivate func isOutside(_ other: ChannelPattern) -> Bool {
        kind == other.kind ? segmentCount < other.segmentCount : kind.rawValue > other.kind.rawValue
    }
}
