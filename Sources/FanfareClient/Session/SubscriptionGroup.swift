import BrokerCore
import NIOCore

/// One call of `subscribe`: its patterns, and how far it is. Lives on the event loop.
final class SubscriptionGroup {
    let texts: [String]
    let patterns: [ChannelPattern]
    let buffer: MessageBuffer
    /// Told when the broker has answered for the first time.
    var answered: EventLoopPromise<Void>?
    /// Its last request to the broker, answered or not.
    var requestID: String?
    /// What is done about a token that the broker has refused it for.
    var tokenTrial = TokenTrial.untried
    private let replay: ReplayStart
    /// Whether the broker has answered in this session: what comes before that is for other groups.
    private(set) var isActive = false
    /// The highest number that came; what names its log.
    private(set) var position: UInt64?
    private var epoch: [UInt8] = []
    /// Up to here the caller has had everything before.
    private var floor: UInt64 = 0
    /// What has come. What is replayed for another group may be newer than what is replayed for this one behind it.
    private var seen = SeenNumbers()
    /// The log has started anew, and all of it has to be asked for; what comes before the answer comes again behind it.
    private(set) var awaitsRestart = false
    /// Whether that was not asked for yet.
    var mustAskAgain = false
    /// What this read has brought, given to the buffer at its end.
    var arrived: [Message] = []

    init(
        _ texts: [String], patterns: [ChannelPattern], options: SubscribeOptions, buffer: MessageBuffer,
        answered: EventLoopPromise<Void>
    ) {
        self.texts = texts
        self.patterns = patterns
        self.buffer = buffer
        self.answered = answered
        replay = options.start
        if case .after(let number, let epoch) = options.start {
            position = number
            floor = number
            self.epoch = Array((epoch ?? "").utf8)
        }
    }

    /// What to ask for of the past: what is behind the last message, or else what the caller asked for.
    var replayNumber: Int64? {
        if awaitsRestart { return -2 }
        if let position { return Int64(clamping: position) }
        switch replay {
        case .retained: return nil
        case .new: return -1
        case .everything: return -2
        case .after(let number, _): return Int64(clamping: number)
        }
    }

    /// Another session has begun, which does not have the subscription yet.
    func beginSession() { isActive = false }

    /// The broker has answered the subscription: what follows counts. What is up to `highest`, the last number that any
    /// group has had, is replayed for others, and not new.
    func acceptAnswer(behind highest: UInt64?) {
        if replay == .new, position == nil, !awaitsRestart { floor = max(floor, highest ?? 0) }
        isActive = true
        awaitsRestart = false
        tokenTrial = .untried
        answered?.succeed()
        answered = nil
    }

    /// The numbers mean another log, of which nothing has come yet.
    private func restart() {
        (position, floor, seen) = (nil, 0, SeenNumbers())
        (awaitsRestart, mustAskAgain) = (true, true)
    }

    func matches(_ channel: ChannelName) -> Bool { patterns.contains { $0.matches(channel) } }

    /// Takes a message unless it has come before.
    func receive(_ message: Message) {
        // What has no number does not come again.
        guard isActive || message.sequence == nil else { return }
        if let sequence = message.sequence {
            if !message.epochSlice.isAbsent, !message.epochEquals(epoch) {
                let isFirst = epoch.isEmpty
                epoch = Array((message.epoch ?? "").utf8)
                if !isFirst { restart() }
            }
            guard !awaitsRestart, sequence > floor, seen.advance(message.channel, to: sequence) else { return }
            position = max(position ?? 0, sequence)
        }
        arrived.append(message)
    }

    /// Takes word of a gap, which bears a channel or one of the patterns.
    func receiveGap(_ message: Message) {
        guard isActive else { return }
        let channel = message.channel
        if texts.contains(channel) { return arrived.append(message) }
        guard let name = try? ChannelName(channel, grammar: .cometd, maximumBytes: .max) else { return }
        if matches(name) { arrived.append(message) }
    }

    func deliver() {
        guard !arrived.isEmpty else { return }
        buffer.append(arrived)
        arrived = []
    }
}

/// A subscription that was refused for its token is asked for once more with another one.
enum TokenTrial {
    /// None was refused.
    case untried
    /// Another one is fetched.
    case awaited
    /// The next answer counts.
    case repeated
}

/// What a subscription gets of the past.
public enum ReplayStart: Sendable, Equatable {
    /// The retained messages.
    case retained
    /// Nothing.
    case new
    /// All there is.
    case everything
    /// What is behind a number; of the log that `epoch` names, if it is given.
    case after(UInt64, epoch: String? = nil)
}

/// How to subscribe.
public struct SubscribeOptions: Sendable, Equatable {
    /// What to get of the past.
    public var start = ReplayStart.retained

    /// The defaults, or what is given.
    public init(start: ReplayStart = .retained) {
        self.start = start
    }
}
