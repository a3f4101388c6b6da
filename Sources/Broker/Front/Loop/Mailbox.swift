import NIOCore
import Synchronization

/// Takes what the router wants written to connections that are not on its loop.
protocol CommandReceiver: Sendable {
    func send(_ commands: [ShardCommand])
}

extension Mailbox: CommandReceiver where Message == ShardCommand {}

/// Carries messages from any thread to one event loop, in order, many at a time.
final class Mailbox<Message: Sendable>: Sendable {
    private struct State {
        var messages: [Message] = []
        var isScheduled = false
    }
    private let state = Mutex(State())
    private let eventLoop: any EventLoop
    private let receive: @Sendable ([Message]) -> Void

    /// A mailbox that hands over what it gathers by calling `receive` on `eventLoop`.
    init(eventLoop: any EventLoop, receive: @escaping @Sendable ([Message]) -> Void) {
        self.eventLoop = eventLoop
        self.receive = receive
    }

    /// Puts messages into the box; they arrive together with what others put in meanwhile.
    func send(_ messages: [Message]) {
        guard !messages.isEmpty else { return }
        let mustSchedule = state.withLock { state in
            state.messages += messages
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if mustSchedule { eventLoop.execute { self.empty() } }
    }

    private func empty() {
        let messages = state.withLock { state in
            state.isScheduled = false
            defer { state.messages = [] }
            return state.messages
        }
        receive(messages)
    }
}
