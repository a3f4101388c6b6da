import Foundation
import Synchronization

/// How long a test waits for a program. Only a program that has not written and not ended while the test waited is killed:
/// not one whose test did not get a thread for minutes, because other tests compute.
final class Patience: Sendable {
    private static let limit = 60

    private struct State {
        /// Whether the program has ended: its number may then belong to another process.
        var hasEnded = false
        /// Chunks that it has written and that the test has not read.
        var unread = 0
        var timer: DispatchWorkItem?

        mutating func stop() {
            timer?.cancel()
            timer = nil
        }
    }
    private let state = Mutex(State())
    private let identifier: pid_t

    init(with identifier: pid_t) {
        self.identifier = identifier
    }

    /// The test waits from now on.
    func begin() {
        state.withLock { state in
            guard !state.hasEnded, state.unread == 0, state.timer == nil else { return }
            let timer = DispatchWorkItem { [weak self] in self?.send(signal: SIGKILL) }
            state.timer = timer
            DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(Self.limit), execute: timer)
        }
    }

    func hasWritten() {
        state.withLock { state in
            state.unread += 1
            state.stop()
        }
    }

    func hasRead() {
        state.withLock { $0.unread -= 1 }
    }

    func hasEnded() {
        state.withLock { state in
            state.hasEnded = true
            state.stop()
        }
    }

    var isRunning: Bool { state.withLock { !$0.hasEnded } }

    func send(signal: Int32) {
        state.withLock { if !$0.hasEnded { _ = kill(identifier, signal) } }
    }
}
