import Logging
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Where log lines go: one `write` each, after a look at how many of the kind there were in this second.
package final class LogOutput: Sendable {
    private let format: LogFormat
    private let descriptor: Int32
    private let throttle = Mutex(LogThrottle())

    /// Lines for an open file.
    package init(_ format: LogFormat, to descriptor: Int32) {
        self.format = format.resolved(isTerminal: isatty(descriptor) != 0)
        self.descriptor = descriptor
    }

    /// Writes a line with these fields, unless there were too many like it: then nobody asks what the fields are.
    func write(
        _ message: String, at level: Logger.Level, from label: String, wall: Int64, fields: () -> [(String, String)]
    ) {
        let verdict = throttle.withLock { $0.admit(message, at: level, wall: wall) }
        guard case .write(let suppressed) = verdict else { return }
        var line = LogLine(wall: wall, level: level, label: label, message: message, fields: fields())
        if suppressed > 0 { line.fields.append(("suppressed", "\(suppressed)")) }
        let bytes = Array((line.text(format) + "\n").utf8)
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Self.put(descriptor, $0.baseAddress, $0.count) }
            // Nobody can be told that the log cannot be written.
            guard count > 0 else { if count < 0, errno == EINTR { continue } else { return } }
            rest = rest.dropFirst(count)
        }
    }

    /// `write` of the system, which the method's name hides.
    private static func put(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
        #if canImport(Glibc)
        Glibc.write(descriptor, bytes, count)
        #elseif canImport(Musl)
        Musl.write(descriptor, bytes, count)
        #else
        Darwin.write(descriptor, bytes, count)
        #endif
    }
}
