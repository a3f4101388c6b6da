import CoreMetrics
import Foundation
import Logging
import Synchronization

/// How sets of keys at addresses are fetched.
package struct KeySetOptions: Sendable, Equatable {
    /// How often a set is fetched again.
    package var refreshInterval = Duration.seconds(600)
    /// The least time between two fetches: for tokens that name a key that is not there, and after a failure.
    package var spacing = Duration.seconds(10)
    /// For one fetch.
    package var timeout = Duration.seconds(10)
    /// Of one answer.
    package var maximumBytes = 256 << 10
    /// A file of authorities that are trusted beside the system's (PEM).
    package var authorityFile: String?

    /// The defaults.
    package init() {}
}

/// The set of keys that is published at an address. What was fetched last stays when a fetch fails.
final class RemoteKeySet: Sendable {
    let source: TokenKeySource
    let options: KeySetOptions
    let authorities: KeySetAuthorities
    private let address: String
    private let logger: Logger
    private let keys = Mutex<[TokenKeys.Key]?>(nil)
    private let task = Mutex<Task<Void, Never>?>(nil)
    private let wakes: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation

    /// Knows no keys yet; nil for a source that is no address.
    init?(_ source: TokenKeySource, _ options: KeySetOptions, _ authorities: KeySetAuthorities, logger: Logger) {
        guard let address = source.address else { return nil }
        (self.source, self.options, self.authorities) = (source, options, authorities)
        (self.address, self.logger) = (address, logger)
        (wakes, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// What was fetched last; nil before anything was.
    var current: [TokenKeys.Key]? { keys.withLock { $0 } }

    /// Fetches the set, and returns whether it is another one than before.
    func fetch() async throws(TokenKeyError) -> Bool {
        let fetcher = KeySetFetcher(
            deadline: options.timeout, maximumBytes: options.maximumBytes, authorities: authorities)
        let found: TokenKeys.Answer
        do {
            found = try await TokenKeys.keys(inAnswer: try await fetcher.fetch(address), from: source)
        } catch {
            Self.counter("failure").increment(by: 1)
            throw error
        }
        Self.counter("success").increment(by: 1)
        let isNew = keys.withLock { keys in
            defer { keys = found.keys }
            return keys.map { Set($0.map(\.identity)) } != Set(found.keys.map(\.identity))
        }
        if isNew { note(found) }
        return isNew
    }

    /// A token names a key that may be in the set by now.
    func wake() {
        waker.yield()
    }

    /// Fetches the set again and again from now on; `didChange` is told when it is another one.
    func keepUpToDate(_ didChange: @escaping @Sendable () -> Void) {
        let work = Task {
            var wake = wakes.makeAsyncIterator()
            while (try? await Task.sleep(for: options.spacing)) != nil {
                if current != nil {
                    let timer = Task {
                        try await Task.sleep(for: max(options.refreshInterval - options.spacing, .zero))
                        waker.yield()
                    }
                    _ = await wake.next()
                    timer.cancel()
                    if Task.isCancelled { return }
                }
                do throws(TokenKeyError) {
                    if try await fetch() { didChange() }
                } catch {
                    if Task.isCancelled { return }
                    note(error)
                }
            }
        }
        task.withLock { task in
            task?.cancel()
            task = work
        }
    }

    /// Fetches nothing any more.
    func stop() {
        task.withLock { $0?.cancel() }
    }

    /// Other keys have come than there were.
    private func note(_ answer: TokenKeys.Answer) {
        var fields: Logger.Metadata = ["from": "\(address)", "keys": "\(answer.keys.count)"]
        if !answer.passedOver.isEmpty {
            let names = answer.passedOver.prefix(8).map { String($0.prefix(64)) }.joined(separator: ", ")
            fields["passed-over"] = "\(names)"
        }
        logger.notice("took keys of tokens", metadata: fields)
    }

    /// A fetch has failed.
    func note(_ error: TokenKeyError) {
        if current == nil {
            logger.error("no keys of tokens yet: those of this set are refused", metadata: ["because": "\(error)"])
        } else {
            logger.warning("kept the keys of tokens that were fetched last", metadata: ["because": "\(error)"])
        }
    }

    /// What came of the fetches, by result.
    private static func counter(_ result: String) -> Counter {
        Counter(label: "fanfare_key_set_fetches_total", dimensions: [("result", result)])
    }

    /// Has the metrics begin at zero.
    static func beginCounting() {
        for result in ["success", "failure"] { counter(result).increment(by: 0) }
    }
}
