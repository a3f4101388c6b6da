import BrokerCore
import Foundation
package import Logging
import ServiceLifecycle
import Synchronization

/// The keys of tokens that a broker has: those in files, and the sets at addresses, which it keeps up to date while it
/// runs.
package final class TokenKeyring: Service {
    /// Keys that are ready to be used.
    package struct Prepared: Sendable {
        fileprivate let keys: [TokenKeys.Key]
        fileprivate let sets: [RemoteKeySet]
        fileprivate let authorities: KeySetAuthorities
        fileprivate let options: TokenVerifier.Options
        fileprivate let takesTokens: Bool
    }
    /// Other keys than before, for the verifier.
    struct Change: Sendable {
        fileprivate let verifier: TokenVerifier
        fileprivate let keys: TokenKeys
        fileprivate let options: TokenVerifier.Options
        fileprivate let takesTokens: Bool

        /// The keys whose tokens count from now on; nil when none are taken.
        var identities: Set<TokenKeyIdentity>? { takesTokens ? Set(keys.keys.map(\.identity)) : nil }

        /// Has the verifier use them.
        func apply() {
            verifier.use(keys, options, takesTokens: takesTokens)
        }
    }
    /// What verifies tokens with them.
    package let verifier = TokenVerifier()
    private let current = Mutex<Prepared?>(nil)
    /// Keeps those apart who have the verifier use what there is.
    private let spreading = Mutex(())
    private let watcher = Mutex<(@Sendable (Change) -> Void)?>(nil)
    private let logger: Logger

    /// Without keys.
    package init(logger: Logger) {
        self.logger = logger
        RemoteKeySet.beginCounting()
        verifier.onMissingKey { [weak self] in self?.look(forKeysOf: $0) }
    }

    /// Reads the files of a configuration, and fetches the sets that are new in it. Nothing of it holds yet.
    ///
    /// A set that cannot be fetched is an error, unless it `mayComeLater`: then it is fetched again and again once it
    /// holds.
    package func prepare(
        _ configuration: BrokerConfiguration, mayComeLater: Bool
    ) async throws(TokenKeyError) -> Prepared {
        let access = configuration.access
        var options = access.tokens
        options.grammar = configuration.limits.grammar
        let (keys, authorities) = try await Self.readFiles(of: configuration)
        let known = current.withLock { $0?.sets ?? [] }
        var sets: [RemoteKeySet] = []
        var unknown: [RemoteKeySet] = []
        for source in access.keySources {
            let same = known.first {
                $0.source == source && $0.options == access.keySets && $0.authorities == authorities
            }
            if let same {
                sets.append(same)
            } else if let set = RemoteKeySet(source, access.keySets, authorities, logger: logger) {
                sets.append(set)
                unknown.append(set)
            }
        }
        for (set, error) in await Self.fetch(unknown) {
            guard mayComeLater else { throw error }
            set.note(error)
        }
        return Prepared(
            keys: keys, sets: sets, authorities: authorities, options: options, takesTokens: !access.keySources.isEmpty)
    }

    /// Looks at the files that a configuration names, and asks no address.
    package static func checkFiles(of configuration: BrokerConfiguration) async throws(TokenKeyError) {
        _ = try await readFiles(of: configuration)
    }

    private static func readFiles(
        of configuration: BrokerConfiguration
    ) async throws(TokenKeyError) -> ([TokenKeys.Key], KeySetAuthorities) {
        let authorities = try KeySetAuthorities(file: configuration.access.keySets.authorityFile)
        return (try await TokenKeys(sources: configuration.access.keySources).keys, authorities)
    }

    /// Fetches sets, all at once; those that could not be.
    private static func fetch(_ sets: [RemoteKeySet]) async -> [(RemoteKeySet, TokenKeyError)] {
        await withTaskGroup(of: (RemoteKeySet, TokenKeyError)?.self) { group in
            for set in sets {
                group.addTask {
                    do throws(TokenKeyError) {
                        _ = try await set.fetch()
                        return nil
                    } catch {
                        return (set, error)
                    }
                }
            }
            return await group.reduce(into: []) { failures, failure in
                if let failure { failures.append(failure) }
            }
        }
    }

    /// From now on these keys hold. Sets that are not among them are not fetched any more.
    package func adopt(_ prepared: Prepared) {
        let before = current.withLock { current in
            defer { current = prepared }
            return current?.sets ?? []
        }
        for set in before where !prepared.sets.contains(where: { $0 === set }) { set.stop() }
        for set in prepared.sets where !before.contains(where: { $0 === set }) {
            set.keepUpToDate { [weak self] in self?.spread() }
        }
        // The address may have other keys by now as well.
        for set in prepared.sets where before.contains(where: { $0 === set }) { set.wake() }
        spread()
    }

    /// From now on `watcher` is told of changes, and applies them; without one they are applied at once.
    func watch(_ watcher: (@Sendable (Change) -> Void)?) {
        self.watcher.withLock { $0 = watcher }
    }

    /// Whether keys that are prepared are others than those that hold.
    package func isNew(_ prepared: Prepared) -> Bool {
        current.withLock { current in
            current.map { Set($0.keys.map(\.identity)) } != Set(prepared.keys.map(\.identity))
        }
    }

    /// Whether other authorities are trusted at addresses than before.
    package func hasNewAuthorities(_ prepared: Prepared) -> Bool {
        current.withLock { ($0?.authorities ?? KeySetAuthorities()) != prepared.authorities }
    }

    /// Serves until the group shuts down: the sets are fetched meanwhile.
    package func run() async throws {
        try? await gracefulShutdown()
        for set in current.withLock({ $0?.sets ?? [] }) { set.stop() }
    }

    /// Has the verifier use what there is.
    private func spread() {
        spreading.withLock { _ in
            guard let current = current.withLock({ $0 }) else { return }
            var keys = TokenKeys(current.keys)
            for set in current.sets { keys.add(set.current) }
            let change = Change(
                verifier: verifier, keys: keys, options: current.options, takesTokens: current.takesTokens)
            if let watcher = watcher.withLock({ $0 }) { watcher(change) } else { change.apply() }
        }
    }

    /// A token names a key that nobody has: the sets of its issuer are fetched again, as soon as they may be. Returns
    /// by when; nil when there is no such set.
    private func look(forKeysOf issuer: String?) -> Duration? {
        let sets = current.withLock { $0?.sets ?? [] }.filter { $0.source.issuer?.isSame(as: issuer) ?? true }
        for set in sets { set.wake() }
        return sets.first?.options.spacing
    }
}
