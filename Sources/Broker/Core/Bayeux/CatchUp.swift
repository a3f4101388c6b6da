/// What a session has to get before what is published from now on: a pure value, without a store.
///
/// It is a list of steps in the order in which the client gets them: parts of the log, and messages that were waiting
/// when the next part was added. A part is read in pages, the next one when the last one has left, so that little of it
/// waits in memory. What is published meanwhile waits in the session's queue, behind all steps.
///
/// A client that acknowledges has a replay behind it only when its acknowledgement of the last page is written down
/// (`settle`): then the number of a batch says which replay it belongs to, also after a restart.
package struct CatchUp {
    /// A part of the log.
    package enum Part: Equatable, Sendable {
        /// What the session's subscriptions match in a range of the log that its client may not have.
        case missed(ClosedRange<UInt64>)
        /// What came with a subscription.
        case backlog(BacklogRequest)
    }
    /// What has to be read next.
    package enum Read: Sendable {
        case part(Part, ReadInterest)
        case plan(BacklogPlan)
    }
    /// How far what came with a subscription was handed out.
    struct Replayed {
        let request: BacklogRequest
        let position: UInt64
    }
    private enum Step {
        case part(Part)
        case messages(MessageQueue)
    }
    /// Beyond that what waits is read from the log again, where it can be.
    private static let stepLimit = 16
    /// Replays become one as long as they have no more items together: each that joins looks at all of them.
    private static let joinedItemLimit = 128

    private var acknowledges: Bool
    private var steps: ArraySlice<Step> = [] {
        didSet { knownByteCount = nil }
    }
    /// The part that the plan and the page belong to.
    private var current: Part?
    private var plan: BacklogPlan?
    private var page: [Publication] = []
    /// What is being read, as long as it is wanted.
    private var reading: ReadInterest?
    private var isReading: Bool { reading != nil }
    /// Whether it had to do with a connection that was lost.
    private(set) var isResumption = false
    /// What is being read is not wanted any more.
    private var isStale = false
    /// All that the client has, or is on its way to it, of what lies up to here in the log.
    private(set) var position: UInt64
    private var stage = Stage.idle
    /// The replay that has begun, and how far its client has acknowledged it.
    var begun: Begun? { stage.begun }
    /// Whether all of it was handed out, and the acknowledgement is not written down yet.
    var isUnsettled: Bool { stage.isUnsettled }
    /// The last replay of which something was handed out.
    private var sentPart: Int64 = 0
    /// How often what was read first has been given up for a replay that joined it; not for ever, or who subscribes again and
    /// again would get nothing.
    private var rereadCount = 0
    private static let rereadLimit = 8
    private var news: Replayed?

    /// Nothing to get yet, for a client that has everything up to `position`.
    init(position: UInt64, acknowledges: Bool = false) {
        self.position = position
        self.acknowledges = acknowledges
    }

    /// Whether nothing is left to get. What is being read counts also when it is not wanted any more: until its answer has
    /// come nothing else is asked for, so that it is not taken for another one.
    var isOver: Bool { steps.isEmpty && current == nil && !isReading }

    /// Whether something can be handed out.
    var hasPage: Bool {
        if !page.isEmpty { return true }
        if current == nil, case .messages? = steps.first { return true }
        return false
    }

    /// The weight of the messages that wait between its parts. Each message that is queued for the session asks for it.
    var byteCount: Int {
        mutating get {
            if let knownByteCount { return knownByteCount }
            let sum = steps.reduce(0) { sum, step in
                if case .messages(let messages) = step { sum + messages.byteCount } else { sum }
            }
            knownByteCount = sum
            return sum
        }
    }
    private var knownByteCount: Int?

    /// Drops the oldest of the messages that wait between its parts; what the log has is read again in its place. How many
    /// it does not have; nil if no message waits there.
    mutating func dropFirst() -> UInt32? {
        for index in steps.indices {
            guard case .messages(var messages) = steps[index], messages.count > 0 else { continue }
            // Else they would be copied.
            steps[index] = .messages(MessageQueue())
            let before = messages.lostCount
            let logged = messages.dropFirst()
            steps[index] = .messages(messages)
            if let logged { putMissed(logged, before: index) }
            return messages.lostCount - before
        }
        return nil
    }

    /// Messages at the beginning of a step have to be read again.
    private mutating func putMissed(_ range: ClosedRange<UInt64>, before index: Int) {
        position = min(position, range.lowerBound - 1)
        if case .messages(let rest) = steps[index], rest.isEmpty { steps.remove(at: index) }
        if index > steps.startIndex, case .part(.missed(let last)) = steps[index - 1] {
            steps[index - 1] = .part(.missed(Gap.hull(last, range)))
        } else {
            steps.insert(.part(.missed(range)), at: index)
        }
    }

    /// The client may have missed what lies in this range, newer than all that is to be got already.
    mutating func addMissed(_ range: ClosedRange<UInt64>) {
        isResumption = true
        position = min(position, range.lowerBound - 1)
        if case .part(.missed(let last))? = steps.last {
            steps[steps.endIndex - 1] = .part(
                .missed(last.lowerBound...max(last.upperBound, range.upperBound)))
        } else {
            steps.append(.part(.missed(range)))
        }
    }

    /// A subscription brings something of the past, behind what waits already. It becomes one with what others asked for
    /// and nothing was handed out of, if they have channels in common: that is returned. Of replays up to `restored` the
    /// client may have got something before the broker was started again.
    mutating func add(
        _ request: BacklogRequest, behind waiting: inout MessageQueue, restored: Int64
    ) -> BacklogRequest? {
        // What is live and older than `request.through` has to come before it.
        if waiting.isEmpty, let joined = join(request, above: restored) { return joined }
        if !waiting.isEmpty {
            if steps.count < Self.stepLimit {
                steps.append(.messages(waiting))
                waiting = MessageQueue()
            } else if let logged = waiting.dropLogged() {
                addMissed(logged)
            }
        }
        steps.append(.part(.backlog(request)))
        return nil
    }

    /// Makes one replay of this one and of all that come last and have not begun, unless apart from each other they come
    /// once and in order as well. What was read of them is read again.
    private mutating func join(_ request: BacklogRequest, above restored: Int64) -> BacklogRequest? {
        let begunPart = max(sentPart, restored)
        var last: [BacklogRequest] = []
        var itemCount = request.items.count
        func takes(_ earlier: BacklogRequest) -> Bool {
            itemCount += earlier.items.count
            return earlier.part > begunPart && itemCount <= Self.joinedItemLimit
        }
        var index = steps.endIndex
        while index > steps.startIndex, case .part(.backlog(let earlier)) = steps[index - 1], takes(earlier) {
            last.append(earlier)
            index -= 1
        }
        var takesCurrent = false
        if index == steps.startIndex, rereadCount < Self.rereadLimit, case .backlog(let earlier)? = current,
            takes(earlier)
        {
            last.append(earlier)
            takesCurrent = true
        }
        let items = last.reversed().flatMap { $0.items }
        // Of a channel there is only one retained message.
        guard let first = last.last,
            items.contains(where: \.asksForPast) || request.items.contains(where: \.asksForPast),
            WantedPast.overlap(items, request.items)
        else { return nil }
        let joined = BacklogRequest(
            items: items + request.items, through: last.reduce(request.through) { max($0, $1.through) },
            limit: request.limit, wall: request.wall, part: first.part)
        if takesCurrent {
            dropCurrent()
            rereadCount += 1
        }
        steps.removeSubrange(index...)
        steps.append(.part(.backlog(joined)))
        return joined
    }

    /// Messages that have to be sent again, before all else.
    mutating func prepend(_ messages: MessageQueue) {
        putBack(after: begun?.position)
        if let first = messages.firstSequence { position = min(position, first - 1) }
        steps.insert(.messages(messages), at: steps.startIndex)
    }

    /// A part of the log that has to be sent again, before all else.
    mutating func prepend(missed range: ClosedRange<UInt64>) {
        putBack(after: begun?.position)
        position = min(position, range.lowerBound - 1)
        steps.insert(.part(.missed(range)), at: steps.startIndex)
    }

    /// What the client has not acknowledged of a replay has to be read again, before all else.
    mutating func repeatReplay() {
        guard let begun else { return }
        putBack(after: begun.position)
        let index = steps.firstIndex { step in
            if case .part(.backlog(let request)) = step { request.part == begun.part } else { false }
        }
        guard let index else { return }
        steps[index] = .part(.backlog(begun.request.resumed(after: begun.acknowledged)))
        stage.rewind()
    }

    /// Interrupts the part that is under way: its rest is to be read anew.
    private mutating func putBack(after position: UInt64?) {
        switch current {
        case .missed(let range)?:
            let next = max(range.lowerBound, self.position + 1)
            if next <= range.upperBound {
                steps.insert(.part(.missed(next...range.upperBound)), at: steps.startIndex)
            }
        case .backlog(let request)?:
            let rest = position.map { request.resumed(after: $0) } ?? request
            steps.insert(.part(.backlog(rest)), at: steps.startIndex)
        case nil: break
        }
        dropCurrent()
    }

    private mutating func dropCurrent() {
        if let reading {
            reading.end()
            isStale = true
        }
        (current, plan, page) = (nil, nil, [])
        stage.interrupt()
    }

    /// The client says that it has everything up to here.
    mutating func skip(through sequence: UInt64) {
        putBack(after: begun?.position)
        position = max(position, sequence)
        steps = ArraySlice(
            steps.compactMap { step in
                guard case .part(.missed(let range)) = step, sequence >= range.lowerBound else { return step }
                return sequence < range.upperBound ? .part(.missed(sequence + 1...range.upperBound)) : nil
            })
    }

    /// The client says that it has the first replay up to here, with all that comes before it. That replay; nil if it is
    /// not the one that the client means.
    mutating func skip(replay isMeant: (Int64) -> Bool, through position: UInt64) -> BacklogRequest? {
        putBack(after: nil)
        let first = steps.firstIndex { if case .part(.backlog) = $0 { true } else { false } }
        guard let first, case .part(.backlog(let request)) = steps[first], isMeant(request.part) else { return nil }
        steps.removeFirst(first - steps.startIndex)
        let begun = Begun(request: request, position: position, acknowledged: position, hasAnswered: true)
        if position >= request.through {
            steps.removeFirst()
            current = .backlog(request)
            stage = .unsettled(begun)
        } else {
            stage = .begun(begun)
            steps[steps.startIndex] = .part(.backlog(request.resumed(after: position)))
        }
        self.position = max(self.position, request.through)
        return request
    }

    /// Whether it is to get, or gets, something that one of these subscriptions asked for.
    func replays(any patterns: Set<ChannelPattern>) -> Bool {
        func asks(_ part: Part) -> Bool {
            guard case .backlog(let request) = part else { return false }
            return request.items.contains { patterns.contains($0.pattern) }
        }
        return current.map(asks) == true
            || steps.contains { if case .part(let part) = $0 { asks(part) } else { false } }
    }

    /// Some subscriptions have ended. What was to be got for them is not; the others' replays go on where they are, and a
    /// page that was read for both is read again.
    mutating func restrict(
        to isKept: (ChannelPattern) -> Bool, messages isKeptMessage: (_ channel: String) -> Bool
    ) {
        putBack(after: begun?.position)
        steps = ArraySlice(
            steps.compactMap { step in
                switch step {
                case .part(.missed): return step
                case .part(.backlog(let request)):
                    return request.restricted(to: isKept).map { Step.part(.backlog($0)) }
                case .messages(var messages):
                    messages.keep(where: isKeptMessage)
                    return messages.isEmpty ? nil : .messages(messages)
                }
            })
        stage.restrict(to: isKept)
    }

    /// The connection was lost with an unknown part of what was written to it: begins anew with what may be missed
    /// of what was live and with `replays`, all that are pending, in the order of the log. Those that come behind messages
    /// that wait stay there.
    mutating func restart(missed: ClosedRange<UInt64>?, replays: [BacklogRequest]) {
        var missed = missed
        func add(_ part: Part, to range: ClosedRange<UInt64>?) -> ClosedRange<UInt64>? {
            guard case .missed(let other) = part else { return range }
            guard let range else { return other }
            return min(range.lowerBound, other.lowerBound)...max(range.upperBound, other.upperBound)
        }
        if let current { missed = add(current, to: missed) }
        dropCurrent()
        stage = .idle
        while case .part(let part)? = steps.first {
            missed = add(part, to: missed)
            steps.removeFirst()
        }
        // Of that nothing is known to be on its way any more.
        if let missed { position = min(position, missed.lowerBound - 1) }
        var first = Dictionary(uniqueKeysWithValues: replays.map { ($0.part, $0) })
        let pending = Set(replays.flatMap { $0.items.map(\.pattern) })
        let later = steps.compactMap { step -> Step? in
            guard case .part(.backlog(let request)) = step else { return step }
            // All that is pending, not only what was asked for last: an earlier part of the same patterns may have begun.
            let rest = first.removeValue(forKey: request.part) ?? request.restricted { !pending.contains($0) }
            return rest.map { Step.part(.backlog($0)) }
        }
        let front = replays.filter { first[$0.part] != nil }
        steps = Self.chronological(missed: missed, replays: front) + later
        if !steps.isEmpty { isResumption = true }
    }

    /// What is missed and replays, in the order of the log.
    private static func chronological(missed: ClosedRange<UInt64>?, replays: [BacklogRequest]) -> ArraySlice<Step> {
        var steps: ArraySlice<Step> = []
        var missed = missed
        for request in replays {
            if let range = missed, range.lowerBound <= request.through {
                let end = min(range.upperBound, request.through)
                steps.append(.part(.missed(range.lowerBound...end)))
                missed = end < range.upperBound ? end + 1...range.upperBound : nil
            }
            steps.append(.part(.backlog(request)))
        }
        if let missed { steps.append(.part(.missed(missed))) }
        return steps
    }

    /// Whether what is to be read now is the beginning of a part: it has to be found in all that is kept.
    var isBeforePart: Bool {
        guard !isReading, page.isEmpty, plan == nil, current == nil, case .part? = steps.first else { return false }
        return true
    }

    /// What is to be read now; nil while something is being read or waits to be handed out, and when all is done.
    mutating func nextRead() -> Read? {
        guard !isReading, page.isEmpty else { return nil }
        let interest = ReadInterest()
        if let plan {
            reading = interest
            return .plan(plan)
        }
        guard current == nil, case .part(let next)? = steps.first else { return nil }
        steps.removeFirst()
        current = next
        reading = interest
        return .part(next, interest)
    }

    /// Nothing is wanted any more: the session has ended.
    func abandon() { reading?.end() }

    /// What was asked for has been read.
    mutating func receive(_ publications: [Publication], rest: BacklogPlan?) {
        reading = nil
        if isStale { return isStale = false }
        page = publications
        plan = rest
        if page.isEmpty { finishPage() }
    }

    /// What was asked for could not be read: the part that is given up.
    mutating func fail() -> Part? {
        reading = nil
        if isStale {
            isStale = false
            return nil
        }
        defer {
            dropCurrent()
            stage = .idle
        }
        if case .backlog(let request)? = current { news = Replayed(request: request, position: request.through) }
        return current
    }

    /// What can be handed out now to the subscriber of these patterns.
    mutating func takePage(epoch: String, patterns: some Collection<ChannelPattern>) -> [Publication] {
        if !page.isEmpty {
            rereadCount = 0
            let taken = page
            page = []
            let last = taken.last?.sequence
            switch current {
            case .missed?: position = last.map { max($0, position) } ?? position
            case .backlog(let request)?:
                let reached = plan == nil ? request.through : last ?? begun?.position ?? 0
                stage.handOut(of: request, through: reached)
                sentPart = max(sentPart, request.part)
                news = Replayed(request: request, position: reached)
            case nil: break
            }
            finishPage()
            return taken
        }
        guard current == nil, case .messages(var messages)? = steps.first else { return [] }
        steps.removeFirst()
        let taken = messages.takeAll(epoch: epoch, patterns: patterns)
        position = taken.lazy.compactMap(\.sequence).max().map { max($0, position) } ?? position
        return taken
    }

    /// What was handed out, or passed over as empty, of a replay since this was last asked.
    mutating func takeNews() -> Replayed? {
        defer { news = nil }
        return news
    }

    /// With its last page a part is done.
    private mutating func finishPage() {
        guard plan == nil else { return }
        switch current {
        case .missed(let range)?: position = max(position, range.upperBound)
        case .backlog(let request)?:
            news = Replayed(request: request, position: request.through)
            if acknowledges, stage.finish(through: request.through) { return }
        case nil: break
        }
        current = nil
        stage = .idle
    }

    /// From now on the client acknowledges. It has what was handed out before.
    mutating func beginAcknowledging() {
        acknowledges = true
        acknowledge()
    }

    /// Whether a replay is over that the client has acknowledged already: behind what it got there was nothing more.
    var isAcknowledged: Bool {
        if case .unsettled(let begun) = stage { begun.hasAnswered } else { false }
    }

    /// The client has acknowledged what was handed out of a replay.
    mutating func acknowledge() { stage.acknowledge() }

    /// That it has acknowledged all of a replay is written down.
    mutating func settle() {
        guard isUnsettled else { return }
        current = nil
        stage = .idle
    }
}
