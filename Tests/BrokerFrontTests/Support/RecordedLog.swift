import Logging
import Synchronization

/// A log whose lines are looked at.
final class RecordedLog: Sendable {
    struct Line: Sendable {
        let level: Logger.Level
        let message: String
        let fields: Logger.Metadata
    }
    private let lines = Mutex<[Line]>([])

    /// Writes into it, whatever the level.
    var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    /// The lines since this was last asked.
    func take() -> [Line] {
        lines.withLock { lines in
            defer { lines = [] }
            return lines
        }
    }

    private struct Handler: LogHandler {
        let log: RecordedLog
        var metadata = Logger.Metadata()
        var logLevel = Logger.Level.trace
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            let line = Line(level: event.level, message: "\(event.message)", fields: event.metadata ?? [:])
            log.lines.withLock { $0.append(line) }
        }
    }
}
