import BrokerFront
import Synchronization

/// The messages of a subscription, in their order, for one reader. It ends when the client does.
public struct ReceivedMessages: AsyncSequence, Sendable {
    /// A message.
    public typealias Element = ReceivedMessage
    /// There are no errors.
    public typealias Failure = Never

    let messages: AsyncStream<ReceivedMessage>
    let unread: SubscriptionLoad

    /// Reads the messages: what is handed out makes room for more.
    public struct AsyncIterator: AsyncIteratorProtocol {
        /// A message.
        public typealias Element = ReceivedMessage
        /// There are no errors.
        public typealias Failure = Never

        var messages: AsyncStream<ReceivedMessage>.Iterator
        let unread: SubscriptionLoad

        /// Waits for the next message; nil when there will be none.
        public mutating func next() async -> ReceivedMessage? {
            let message = await messages.next()
            return taken(message)
        }

        /// As above, on the actor of who asks.
        public mutating func next(isolation actor: isolated (any Actor)?) async -> ReceivedMessage? {
            let message = await messages.next(isolation: actor)
            return taken(message)
        }

        private func taken(_ message: ReceivedMessage?) -> ReceivedMessage? {
            if let message { unread.remove(message.json.count) }
            return message
        }
    }

    /// Begins to read.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(messages: messages.makeAsyncIterator(), unread: unread)
    }
}

/// What the reader of one subscription has not taken yet, as a part of what its client has not.
final class SubscriptionLoad: Sendable {
    private let whole: UnreadLoad
    /// None when the subscription has ended: what is left of it holds up nobody.
    private let byteCount = Mutex<Int?>(0)

    /// Nothing yet.
    init(within whole: UnreadLoad) {
        self.whole = whole
    }

    /// A message is about to be handed to the reader.
    func add(_ count: Int) {
        if change(by: count) { whole.add(count) }
    }

    /// The reader has taken a message.
    func remove(_ count: Int) {
        if change(by: -count) { whole.remove(count) }
    }

    /// The subscription has ended.
    func end() {
        let rest = byteCount.withLock { byteCount in
            defer { byteCount = nil }
            return byteCount
        }
        if let rest { whole.remove(rest) }
    }

    /// Whether the subscription has not ended.
    private func change(by count: Int) -> Bool {
        byteCount.withLock { byteCount in
            guard let before = byteCount else { return false }
            byteCount = before + count
            return true
        }
    }
}
