import BrokerCore
package import Logging

/// The log: one line for each event, whatever it holds, at most so many of a kind in a second.
package struct LineLogHandler: LogHandler {
    let label: String
    let output: LogOutput
    package var logLevel = Logger.Level.trace
    package var metadata = Logger.Metadata()

    /// A handler that writes to `output`.
    package init(label: String, output: LogOutput) {
        self.label = label
        self.output = output
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        output.write(
            event.message.description, at: event.level, from: label, wall: SystemClock.now.wall
        ) {
            metadata.merging(event.metadata ?? [:]) { $1 }.map { ($0.key, "\($0.value)") }.sorted { $0.0 < $1.0 }
        }
    }
}
