/// What a session has to get before what is published from now on: a pure value, without a store.
///
/// It is a list of steps in the order in which the client gets them: parts of the log, and messages that were waiting
/// when the next part was added. A part is read in pages, the next one when the last one has left, so that little of it
/// waits in memory. What is published meanwhile waits in the session's queue, behind all steps.
package struct CatchUp {
    /// A part of the log.
    package enum Part: Equatable, Sendable {
        /// What the session's subscriptions match in a range of the log that its client may not have.
        case missed(ClosedRange<UInt64>)
        /// What came with a subscription.
        case backlog(BacklogRequest)
    }
    /// What has to be read next.
    package enum Read: Equatable, Sendable {
        case part(Part)
        case plan(BacklogPlan)
    }
    private enum Step {
        case part(Part)
        case messages(MessageQueue)
    }
    /// Beyond that a subscription's past does not wait for messages that came before it.
    private static let stepLimit = 16

    private var steps: ArraySlice<Step> = []
    /// The part that the plan and the page belong to; it begins anew when the connection is lost.
    private var current: Part?
    private var plan: BacklogPlan?
    private var page: [Publication] = []
    private var isReading = false
    /// Whether it had to do with a connection that was lost.
    private(set) var isResumption = false
    /// What is being read is not wanted any more.
    private var isStale = false
    /// All that the client has, or is on its way to it, of what lies up to here in the log.
    private(set) var position: UInt64

    /// Nothing to get yet, for a client that has everything up to `position`.
    init(position: UInt64) {
        self.position = position
    }

    /// Whether nothing is left to get.
    var isOver: Bool { steps.isEmpty && current == nil }

    /// Whether something can be handed out.
    var hasPage: Bool {
        if !page.isEmpty { return true }
        if current == nil, case .messages? = steps.first { return true }
        return false
    }

    /// The client may have missed what lies in this range, newer than all that is to be got already.
    mutating func addMissed(_ range: ClosedRange<UInt64>) {
        isResumption = true
        if case .part(.missed(let last))? = steps.last {
            steps[steps.endIndex - 1] = .part(
                .missed(last.lowerBound...max(last.upperBound, range.upperBound)))
        } else {
            steps.append(.part(.missed(range)))
        }
    }

    /// A subscription brings something of the past, behind what waits already.
    mutating func add(_ request: BacklogRequest, behind waiting: inout MessageQueue) {
        if !waiting.isEmpty, steps.count < Self.stepLimit {
            steps.append(.messages(waiting))
            waiting = MessageQueue()
        }
        steps.append(.part(.backlog(request)))
    }

    /// Messages that have to be sent again, before all else.
    mutating func prepend(_ messages: MessageQueue) {
        steps.insert(.messages(messages), at: steps.startIndex)
    }

    /// The client says that it has everything up to here.
    mutating func skip(through sequence: UInt64) {
        position = max(position, sequence)
        guard current == nil, case .part(.missed(let range))? = steps.first, sequence >= range.lowerBound else {
            return
        }
        steps.removeFirst()
        if sequence < range.upperBound {
            steps.insert(.part(.missed(sequence + 1...range.upperBound)), at: steps.startIndex)
        }
    }

    /// The connection was lost with an unknown part of what was written to it: begins anew with the part that was under
    /// way, and before all else with what may be missed of what was live.
    mutating func restart(missed: ClosedRange<UInt64>?) {
        if let current { steps.insert(.part(current), at: steps.startIndex) }
        current = nil
        plan = nil
        page = []
        isStale = isReading
        guard let missed else { return }
        isResumption = true
        if case .part(.missed(let first))? = steps.first {
            let (from, to) = (min(first.lowerBound, missed.lowerBound), max(first.upperBound, missed.upperBound))
            steps[steps.startIndex] = .part(.missed(from...to))
        } else {
            steps.insert(.part(.missed(missed)), at: steps.startIndex)
        }
    }

    /// What is to be read now; nil while something is being read or waits to be handed out, and when all is done.
    mutating func nextRead() -> Read? {
        guard !isReading, page.isEmpty else { return nil }
        if let plan {
            isReading = true
            return .plan(plan)
        }
        guard current == nil, case .part(let next)? = steps.first else { return nil }
        steps.removeFirst()
        current = next
        isReading = true
        return .part(next)
    }

    /// What was asked for has been read.
    mutating func receive(_ publications: [Publication], rest: BacklogPlan?) {
        isReading = false
        if isStale { return isStale = false }
        page = publications
        plan = rest
        if page.isEmpty { finishPage() }
    }

    /// What was asked for could not be read: the part that is given up.
    mutating func fail() -> Part? {
        isReading = false
        if isStale {
            isStale = false
            return nil
        }
        defer { (current, plan) = (nil, nil) }
        return current
    }

    /// What can be handed out now.
    mutating func takePage(epoch: String) -> [Publication] {
        if !page.isEmpty {
            let taken = page
            page = []
            if case .missed? = current, let last = taken.last?.sequence { position = max(position, last) }
            finishPage()
            return taken
        }
        guard current == nil, case .messages(var messages)? = steps.first else { return [] }
        steps.removeFirst()
        let taken = messages.takeAll(epoch: epoch)
        position = taken.lazy.compactMap(\.sequence).max().map { max($0, position) } ?? position
        return taken
    }

    /// With its last page a part is done.
    private mutating func finishPage() {
        guard plan == nil else { return }
        if case .missed(let range)? = current { position = max(position, range.upperBound) }
        current = nil
    }
}
