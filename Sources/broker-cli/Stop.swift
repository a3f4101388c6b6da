import FanfareClient
import Foundation
import Synchronization

/// Why a command ends before its work is done.
enum Stop: Equatable, Sendable {
    case signal(Int32)
    /// Nobody reads our output any more.
    case outputClosed
    /// The time of `--timeout` is over.
    case timeIsOver
    /// Nothing has come for the time of `--idle`.
    case silence
    /// All that was there has come.
    case end
    /// The outbox is not sent any more.
    case outboxFailed
}

/// Remembers the first reason to stop.
final class StopCause: Sendable {
    private let value = Mutex<Stop?>(nil)

    var stop: Stop? { value.withLock { $0 } }

    /// Whether it is the first.
    @discardableResult
    func set(_ stop: Stop) -> Bool {
        value.withLock { value in
            guard value == nil else { return false }
            value = stop
            return true
        }
    }
}

/// Turns SIGINT and SIGTERM into the end of a command's work; the second one ends the program at once.
final class StopSignals {
    private let sources: [any DispatchSourceSignal]

    /// `stop` is called with the first signal, on some thread.
    init(_ stop: @escaping @Sendable (Int32) -> Void) {
        let count = Counter()
        sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                guard count.next() == 1 else { _exit(128 + number) }
                stop(number)
            }
            source.resume()
            return source
        }
    }
}

/// A time without messages while they could come: there is a connection, and somebody waits for them.
final class Silence: Sendable {
    private struct State {
        var isConnected = true
        var isAwaited = false
        /// When the last of the two came true, if both are.
        var start: ContinuousClock.Instant?

        mutating func change() { start = isConnected && isAwaited ? .now : nil }
    }
    private let state = Mutex(State())

    /// Follows a connection, which is there or being made, to its end.
    func follow(_ states: AsyncStream<ConnectionState>) async {
        for await state in states {
            let isConnected = if case .connected = state { true } else { false }
            self.state.withLock {
                $0.isConnected = isConnected
                $0.change()
            }
        }
    }

    /// The next messages.
    func nextBatch(of messages: Subscription) async throws -> [Message]? {
        expect(true)
        defer { expect(false) }
        return try await messages.nextBatch()
    }

    private func expect(_ isAwaited: Bool) {
        state.withLock {
            $0.isAwaited = isAwaited
            $0.change()
        }
    }

    /// Returns when there was silence for that long.
    func wait(_ time: Duration) async throws {
        while true {
            let end = (state.withLock { $0.start } ?? .now) + time
            if end <= .now { return }
            try await Task.sleep(until: end, clock: .continuous)
        }
    }
}

/// Something that a blocked `poll` waits for as well: makes it return.
final class WakeUp: Sendable {
    let descriptor: Int32
    private let writing: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        _ = pipe(&ends)
        (descriptor, writing) = (ends[0], ends[1])
    }

    func wake() { _ = write(writing, "x", 1) }

    deinit {
        close(descriptor)
        close(writing)
    }
}
