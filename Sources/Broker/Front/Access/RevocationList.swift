package import BrokerCore
package import Logging
import Synchronization

/// Tokens that do not count any more, kept in a file so that a restart forgets none.
///
/// A line for each, `token ID` or `subject MILLISECONDS NAME`; it is only ever appended to, and synced before the caller is
/// told. A token has expired some day and its line does no harm, so the file is left to grow; its owner may tidy it while
/// the broker is stopped.
package final class RevocationList: Sendable {
    private struct State {
        var entries: [Revocations.Entry] = []
        var revocations = Revocations()
        /// What was added since the file was last read.
        var added: [Revocations.Entry] = []
        var watcher: (@Sendable ([Revocations.Entry]) -> Void)?
    }
    private let storage: RevocationFile?
    private let state = Mutex(State())
    /// Keeps those who read or write the file apart.
    private let file = Mutex(())

    /// A list that is kept in the file at `path`, which need not exist; without one it ends with the process. What is odd
    /// about the file, but no error, is told to `logger`.
    package init(path: String?, logger: Logger? = nil) throws(RevocationError) {
        storage = path.map { RevocationFile(path: $0, logger: logger) }
        guard let storage else { return }
        adopt(try Self.entries(in: try storage.lines(), of: storage.path))
    }

    /// What the file holds now, for instance because its owner has added something. Nothing of it holds yet.
    package func read() throws(RevocationError) -> [Revocations.Entry] {
        try file.withLock { (_) throws(RevocationError) in
            let known = state.withLock { state in
                state.added = []
                return state.entries
            }
            guard let storage else { return known }
            return try Self.entries(in: try storage.lines(), of: storage.path)
        }
    }

    /// From now on what was read holds instead of what was there before, and what has been added since. Whoever watches is
    /// not told. Returns whether it is something else.
    @discardableResult
    package func adopt(_ read: [Revocations.Entry]) -> Bool {
        state.withLock { state in
            let entries = read + state.added
            defer {
                state.entries = entries
                state.revocations = Revocations()
                for entry in entries { state.revocations.insert(entry) }
            }
            return state.entries != entries
        }
    }

    private static func entries(
        in lines: [Substring], of path: String
    ) throws(RevocationError) -> [Revocations.Entry] {
        var entries: [Revocations.Entry] = []
        for (number, line) in lines.enumerated() where !line.isEmpty {
            guard let entry = entry(String(line)) else {
                throw RevocationError(
                    description: "\(path):\(number + 1): neither \"token ID\" nor \"subject TIME NAME\"")
            }
            entries.append(entry)
        }
        return entries
    }

    /// All of them, in order.
    var entries: [Revocations.Entry] { state.withLock { $0.entries } }

    /// Whether what a token says has been taken back. Asked for each request that shows one, on all loops: none of them looks
    /// it up while the others wait.
    package func cover(_ principal: Principal) -> Bool { state.withLock { $0.revocations }.cover(principal) }

    /// Adds one, from `token ID` or `subject NAME`; what was revoked with it, for the one who asked.
    package func add(_ text: String, wall: Int64) throws(RevocationError) -> String {
        let words = text.split(separator: " ", maxSplits: 1)
        guard words.count == 2, !words[1].isEmpty, Revocations.canName(words[1]) else {
            throw RevocationError(description: "revoke token ID, or revoke subject NAME")
        }
        let name = String(words[1])
        switch words[0] {
        case "token":
            try add(.token(name), line: "token \(name)")
            return "the token \(name)"
        case "subject":
            // Whoever makes the tokens may have a clock that is ahead, as far as tokens are taken from the future.
            let end = wall + Int64(TokenVerifier.leeway * 1000)
            try add(.subject(name, issuedUpTo: end), line: "subject \(end) \(name)")
            return "all tokens of \(name) that were made up to now, and within \(Int(TokenVerifier.leeway)) s from now"
        default: throw RevocationError(description: "revoke token ID, or revoke subject NAME")
        }
    }

    private func add(_ entry: Revocations.Entry, line: String) throws(RevocationError) {
        try file.withLock { (_) throws(RevocationError) in
            try storage?.append(line)
            state.withLock { state in
                state.entries.append(entry)
                state.added.append(entry)
                state.revocations.insert(entry)
            }
        }
        let watcher = state.withLock { $0.watcher }
        watcher?([entry])
    }

    /// From now on `watcher` is told of those that are added.
    func watch(_ watcher: (@Sendable ([Revocations.Entry]) -> Void)?) {
        state.withLock { $0.watcher = watcher }
    }

    private static func entry(_ line: String) -> Revocations.Entry? {
        let words = line.split(separator: " ", maxSplits: 1).map(String.init)
        guard words.count == 2 else { return nil }
        if words[0] == "token" { return .token(words[1]) }
        let parts = words[1].split(separator: " ", maxSplits: 1).map(String.init)
        guard words[0] == "subject", parts.count == 2, let time = Int64(parts[0]) else { return nil }
        return .subject(parts[1], issuedUpTo: time)
    }
}

/// A revocation that cannot be read or kept.
package struct RevocationError: Error, CustomStringConvertible, Sendable {
    package let description: String
}
