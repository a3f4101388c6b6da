import Synchronization

/// Messages between the event loop and the one task that reads them.
final class MessageBuffer: Sendable {
    private struct State {
        var messages: [Message] = []
        var bytes = 0
        var reader: CheckedContinuation<[Message]?, any Error>?
        var end: Result<Void, ClientError>?
    }
    private let state = Mutex(State())
    /// Called with the bytes that wait now, and those that a reader has taken.
    private let added, taken: @Sendable (Int) -> Void

    init(added: @escaping @Sendable (Int) -> Void, taken: @escaping @Sendable (Int) -> Void) {
        self.added = added
        self.taken = taken
    }

    deinit {
        // What nobody will read keeps nobody from reading on.
        let bytes = state.withLock { $0.bytes }
        if bytes > 0 { taken(bytes) }
    }

    func append(_ messages: [Message]) {
        let bytes = messages.reduce(0) { $0 + $1.json.count }
        added(bytes)
        let isWaiting = state.withLock { state in
            guard state.end == nil else { return false }
            if let reader = state.reader {
                state.reader = nil
                reader.resume(returning: messages)
                return false
            }
            state.messages += messages
            state.bytes += bytes
            return true
        }
        if !isWaiting { taken(bytes) }
    }

    /// No more come; those that are there can still be read.
    func finish(_ error: ClientError?) {
        let reader = state.withLock { state -> CheckedContinuation<[Message]?, any Error>? in
            guard state.end == nil else { return nil }
            state.end = error.map { .failure($0) } ?? .success(())
            defer { state.reader = nil }
            return state.reader
        }
        if let error { reader?.resume(throwing: error) } else { reader?.resume(returning: nil) }
    }

    /// All that is there, waiting until there is something; nil at the end, or when the task is cancelled.
    func take() async throws -> [Message]? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let bytes = state.withLock { state -> Int in
                    if !state.messages.isEmpty {
                        defer {
                            state.messages = []
                            state.bytes = 0
                        }
                        continuation.resume(returning: state.messages)
                        return state.bytes
                    }
                    if let end = state.end {
                        continuation.resume(with: end.map { nil }.mapError { $0 })
                    } else if Task.isCancelled || state.reader != nil {
                        continuation.resume(returning: nil)
                    } else {
                        state.reader = continuation
                    }
                    return 0
                }
                if bytes > 0 { taken(bytes) }
            }
        } onCancel: {
            let reader = state.withLock { state in
                defer { state.reader = nil }
                return state.reader
            }
            reader?.resume(returning: nil)
        }
    }
}
