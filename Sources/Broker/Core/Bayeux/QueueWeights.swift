/// What the queues of all sessions weigh, in bytes, and which of them are the heaviest.
///
/// Queues stand in classes by the number of bits of their weight: one of the heaviest, within a factor of two, is found
/// at once, and most changes move nothing.
struct QueueWeights {
    /// The weight of all together.
    private(set) var total = 0
    /// The sessions of each class, in no order.
    private var classes: [[SubscriptionTable.Subscriber]] = Array(repeating: [], count: Int.bitWidth)
    /// Where each session stands in its class.
    private var places: [UInt32] = []

    /// One of the sessions whose queues weigh most; none when nothing waits.
    var heaviest: SubscriptionTable.Subscriber? { classes.last { !$0.isEmpty }?.last }

    /// A session's queue has come from one weight to another.
    mutating func change(_ session: SubscriptionTable.Subscriber, from before: Int, to after: Int) {
        total += after - before
        let (old, new) = (Self.bits(before), Self.bits(after))
        guard old != new else { return }
        if old > 0 { leave(old, session) }
        if new > 0 { enter(new, session) }
    }

    private static func bits(_ weight: Int) -> Int { Int.bitWidth - weight.leadingZeroBitCount }

    private mutating func leave(_ number: Int, _ session: SubscriptionTable.Subscriber) {
        let last = classes[number].removeLast()
        guard last != session else { return }
        let place = places[Int(session)]
        classes[number][Int(place)] = last
        places[Int(last)] = place
    }

    private mutating func enter(_ number: Int, _ session: SubscriptionTable.Subscriber) {
        if Int(session) >= places.count {
            places.append(contentsOf: repeatElement(0, count: Int(session) + 1 - places.count))
        }
        places[Int(session)] = UInt32(classes[number].count)
        classes[number].append(session)
    }
}
