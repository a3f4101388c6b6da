import Logging
import Synchronization

/// The level of the log, which may change while the broker runs.
final class LiveLogLevel: Sendable {
    private let level: Mutex<Logger.Level>

    init(_ level: Logger.Level) {
        self.level = Mutex(level)
    }

    var current: Logger.Level { level.withLock { $0 } }

    func set(_ level: Logger.Level) {
        self.level.withLock { $0 = level }
    }
}

/// Passes on what is of that level.
struct LiveLogHandler<Handler: LogHandler>: LogHandler {
    private var handler: Handler
    private let live: LiveLogLevel
    /// A level of this logger's own.
    private var own: Logger.Level?

    init(_ handler: Handler, level: LiveLogLevel) {
        self.handler = handler
        self.handler.logLevel = .trace
        live = level
    }

    var logLevel: Logger.Level {
        get { own ?? live.current }
        set { own = newValue }
    }
    var metadata: Logger.Metadata {
        get { handler.metadata }
        set { handler.metadata = newValue }
    }
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { handler[metadataKey: key] }
        set { handler[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) {
        handler.log(event: event)
    }
}
