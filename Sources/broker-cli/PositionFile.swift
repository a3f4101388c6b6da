import BrokerCore
import Foundation
import Synchronization

/// Where in the broker's log a subscriber is, in a file that outlives it: `{"seq":41,"epoch":"…"}`.
final class PositionFile: Sendable {
    struct Position: Equatable, Sendable {
        var sequence: UInt64
        var epoch: String?
    }
    private struct State {
        var noted: Position?
        var written: Position?
        var writtenAt = ContinuousClock.now - .seconds(1)
    }
    private static let interval = Duration.milliseconds(100)

    /// What the file said in the beginning.
    let saved: Position?
    private let path: String
    private let lock: Mutex<FileLock>
    private let state: Mutex<State>

    /// Reads the file, if it is there, and keeps other programs from using it.
    init(_ path: String) throws(CLIError) {
        self.path = path
        lock = Mutex(
            try FileLock(path + ".lock", waits: false, inUse: "\(path): the file is in use by another program"))
        var saved: Position?
        if let data = FileManager.default.contents(atPath: path) {
            let text = JSONText(Array(data))
            guard let sequence = text.integer("seq").flatMap({ UInt64(exactly: $0) }) else {
                throw .data("\(path): this is no file of a position; remove it, or name another one")
            }
            saved = Position(sequence: sequence, epoch: text.member("epoch"))
        } else if FileManager.default.fileExists(atPath: path) {
            throw .inputOutput("\(path): the file cannot be read")
        }
        self.saved = saved
        state = Mutex(State(noted: saved, written: saved))
    }

    /// Everything up to here is done. It is written at once if it is urgent or the last time is long enough ago.
    func note(_ sequence: UInt64, epoch: String?, isUrgent: Bool = false) throws(CLIError) {
        let isDue = state.withLock { state in
            state.noted = Position(sequence: sequence, epoch: epoch)
            return isUrgent || ContinuousClock.now - state.writtenAt >= Self.interval
        }
        if isDue { try save() }
    }

    /// Writes what was noted last.
    func save() throws(CLIError) {
        let position = state.withLock { state -> Position? in
            guard state.noted != state.written else { return nil }
            state.writtenAt = .now
            state.written = state.noted
            return state.noted
        }
        guard let position else { return }
        var text = Array(#"{"seq":\#(position.sequence)"#.utf8)
        if let epoch = position.epoch {
            text += #","epoch":"#.utf8
            text.append(jsonString: epoch)
        }
        text += "}\n".utf8
        try DurableFile.write(text, to: path)
    }
}
