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

/// A time without messages.
final class Silence: Sendable {
    private let lastHeard = Mutex(ContinuousClock.now)

    func `break`() { lastHeard.withLock { $0 = .now } }

    /// Returns when nothing was heard for that long, from now on.
    func wait(_ time: Duration) async throws {
        self.break()
        while true {
            let end = lastHeard.withLock { $0 } + time
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
