/// Where a channel's publications go: who has subscribed, where each subscriber's messages are written to, and what
/// follows from both for channels that were published to of late.
///
/// As long as nobody comes or goes, a publication costs one look-up, however many it goes to.
struct RoutingTable: ~Copyable {
    typealias Subscriber = SubscriptionTable.Subscriber

    /// The route of a subscriber whose messages are queued.
    private static let nowhere = ConnectionID(loop: .max, slot: .max)
    /// How many channels are known at the same time, and how many recipients in all of them.
    private static let knownChannels = 4096
    private static let knownRecipients = 1 << 20

    private struct Known {
        let destinations: Destinations
        let generation: UInt64
    }

    private let loopCount: Int
    private var subscriptions: SubscriptionTable
    /// Where each subscriber's messages go.
    private var routes: [ConnectionID] = []
    /// How many publications each subscriber was among the destinations of.
    private var deliveredCounts: [UInt64] = []
    /// Changes with every subscription and every route.
    private var generation: UInt64 = 0
    private var known: [ChannelName: Known] = [:]
    private var knownRecipientCount = 0

    /// A table without subscribers. The seed must be random and secret, see `SubscriptionTable`.
    init(loopCount: UInt32, seed: UInt64) {
        self.loopCount = Int(loopCount)
        subscriptions = SubscriptionTable(seed: seed)
    }

    /// How many pairs of subscriber and pattern there are.
    var subscriptionCount: Int { subscriptions.subscriptionCount }
    /// Those of them that are to patterns with a wildcard.
    var wildcardSubscriptionCount: Int { subscriptions.wildcardSubscriptionCount }
    /// How many patterns have at least one subscriber.
    var patternCount: Int { subscriptions.patternCount }

    /// The pattern at a place of the list, and how many subscribers it has. The places change as patterns go.
    func entry(at index: Int) -> (text: String, subscriberCount: Int) { subscriptions.entry(at: index) }

    /// Makes room for a subscriber, who begins anew.
    mutating func add(_ subscriber: Subscriber) {
        let missing = Int(subscriber) + 1 - routes.count
        if missing > 0 {
            routes.append(contentsOf: repeatElement(Self.nowhere, count: missing))
            deliveredCounts.append(contentsOf: repeatElement(0, count: missing))
        }
        deliveredCounts[Int(subscriber)] = 0
    }

    /// How many publications a subscriber was among the destinations of since it was added.
    func deliveredCount(of subscriber: Subscriber) -> UInt64 { deliveredCounts[Int(subscriber)] }

    /// Adds a subscription.
    mutating func subscribe(_ subscriber: Subscriber, to pattern: ChannelPattern) {
        if subscriptions.subscribe(subscriber, to: pattern) { generation += 1 }
    }

    /// Removes a subscription.
    mutating func unsubscribe(_ subscriber: Subscriber, from pattern: ChannelPattern) {
        if subscriptions.unsubscribe(subscriber, from: pattern) { generation += 1 }
    }

    /// From now on the messages of a subscriber, which was added, are written to a connection, or queued.
    mutating func route(_ subscriber: Subscriber, to connection: ConnectionID?) {
        let index = Int(subscriber)
        let route = connection ?? Self.nowhere
        guard routes[index] != route else { return }
        routes[index] = route
        generation += 1
    }

    /// Where a publication to a channel goes, but for one subscriber. It is counted as delivered to them.
    mutating func destinations(of channel: ChannelName, excluding excluded: Subscriber? = nil) -> Destinations {
        let destinations = findDestinations(of: channel, excluding: excluded)
        deliveredCounts.withUnsafeMutableBufferPointer { counts in
            for subscriber in destinations.subscribers { counts[Int(subscriber)] &+= 1 }
        }
        return destinations
    }

    private mutating func findDestinations(of channel: ChannelName, excluding excluded: Subscriber?) -> Destinations {
        if subscriptions.subscriptionCount == 0 { return .none }
        if excluded == nil, let known = known[channel], known.generation == generation { return known.destinations }
        var matched: [Subscriber] = []
        subscriptions.match(channel, into: &matched)
        if let excluded { matched.removeAll { $0 == excluded } }
        if matched.isEmpty { return .none }
        let destinations = destinations(to: matched)
        if excluded == nil { remember(destinations, of: channel) }
        return destinations
    }

    private func destinations(to subscribers: [Subscriber]) -> Destinations {
        var slots = [[UInt32]](repeating: [], count: loopCount)
        var waiting: [Subscriber] = []
        slots[0].reserveCapacity(subscribers.count)
        for subscriber in subscribers {
            let route = routes[Int(subscriber)]
            if route == Self.nowhere {
                waiting.append(subscriber)
            } else {
                slots[Int(route.loop)].append(route.slot)
            }
        }
        return Destinations(subscribers: subscribers, slots: slots, waiting: waiting)
    }

    private mutating func remember(_ destinations: Destinations, of channel: ChannelName) {
        knownRecipientCount += destinations.count
        if let last = known.updateValue(Known(destinations: destinations, generation: generation), forKey: channel) {
            knownRecipientCount -= last.destinations.count
        }
        guard known.count > Self.knownChannels || knownRecipientCount > Self.knownRecipients else { return }
        known = [:]
        knownRecipientCount = 0
    }
}

/// Where the publications of a channel go as long as nobody comes or goes.
final class Destinations: Sendable {
    static let none = Destinations(subscribers: [], slots: [], waiting: [])

    /// Everybody, each once.
    let subscribers: [SubscriptionTable.Subscriber]
    /// The connections of each event loop that has any.
    let recipients: [Recipients]
    /// Those whose messages are queued.
    let waiting: [SubscriptionTable.Subscriber]

    /// `slots` are the connections of each event loop.
    init(subscribers: [SubscriptionTable.Subscriber], slots: [[UInt32]], waiting: [SubscriptionTable.Subscriber]) {
        recipients = slots.enumerated().compactMap { loop, slots in
            slots.isEmpty ? nil : Recipients(loop: UInt32(loop), slots: slots)
        }
        self.subscribers = subscribers
        self.waiting = waiting
    }

    /// How many there are in all.
    var count: Int { subscribers.count }
}

/// Connections of one event loop that a publication goes to. Those of publications with the same recipients are the
/// same object, mostly, so that nobody has to go through them for each.
package final class Recipients: Sendable {
    package let loop: UInt32
    /// Each once.
    package let slots: [UInt32]

    /// Connections of one event loop, each once.
    package init(loop: UInt32, slots: [UInt32]) {
        self.loop = loop
        self.slots = slots
    }
}
