import Foundation
import Logging
import Synchronization
import Testing

@testable import BrokerFront

/// How the log is written.
@Suite("Log lines")
struct LogLineTests {
    private static func line(_ message: String, _ fields: [(String, String)]) -> LogLine {
        LogLine(wall: 1_000, level: .notice, label: "fanfare", message: message, fields: fields)
    }

    @Test("For people")
    func text() {
        let line = Self.line("stopped\nnot", [("a", "1"), ("b c", "two words"), ("d", "x=\"\u{1b}[0m"), ("e", "")])
        #expect(
            line.text(.text)
                == #"1970-01-01T00:00:01.000Z notice stopped\nnot a=1 "b c"="two words" d="x=\"\u001b[0m" e="""#)
    }

    @Test("For programs: whatever is in it, one object on one line")
    func json() throws {
        let text = "a\"\\\n\r\t\u{0}\u{1b}\u{7f}\u{85}\u{2028}\u{202e}é🎺"
        let line = Self.line(text, [("field", text), ("time", "never")]).text(.json)
        #expect(!line.unicodeScalars.contains { $0.value < 0x20 || $0 == "\u{2028}" || $0 == "\u{202e}" })
        let read = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
        #expect(
            read == [
                "time": "1970-01-01T00:00:01.000Z", "level": "notice", "logger": "fanfare", "message": text,
                "field": text, "time_": "never",
            ])
    }

    @Test("What is meant by auto")
    func formats() {
        #expect(LogFormat.auto.resolved(isTerminal: true) == .text)
        #expect(LogFormat.auto.resolved(isTerminal: false) == .json)
        #expect(LogFormat.text.resolved(isTerminal: false) == .text)
        #expect(LogFormat.json.resolved(isTerminal: true) == .json)
    }

    @Test("Of each message so many in a second; then it is told how many were left out")
    func throttle() {
        var throttle = LogThrottle()
        for _ in 0..<LogThrottle.burst {
            #expect(throttle.admit("a", at: .info, wall: 1_000) == .write(suppressed: 0))
        }
        for _ in 0..<5 { #expect(throttle.admit("a", at: .info, wall: 1_999) == .suppress) }
        #expect(throttle.admit("b", at: .info, wall: 1_999) == .write(suppressed: 0))
        #expect(throttle.admit("a", at: .error, wall: 1_999) == .write(suppressed: 0))
        #expect(throttle.admit("a", at: .info, wall: 2_000) == .write(suppressed: 5))
        #expect(throttle.admit("a", at: .info, wall: 2_000) == .write(suppressed: 0))
    }
    /// A value that counts how often it was put into words.
    private struct Counted: CustomStringConvertible, Sendable {
        final class Count: Sendable { let value = Mutex(0) }
        let count = Count()
        var description: String {
            count.value.withLock { $0 += 1 }
            return "x"
        }
    }

    @Test("What is left out is not put into words either")
    func suppressed() {
        let descriptor = open("/dev/null", O_WRONLY)
        defer { close(descriptor) }
        let handler = LineLogHandler(label: "fanfare", output: LogOutput(.json, to: descriptor))
        let logger = Logger(label: "fanfare") { _ in handler }
        let value = Counted()
        for _ in 0..<LogThrottle.burst * 100 { logger.info("again", metadata: ["value": .stringConvertible(value)]) }
        // Within one second so many; the machine may have been slow.
        let count = value.count.value.withLock { $0 }
        #expect(count >= LogThrottle.burst)
        #expect(count < LogThrottle.burst * 100)
    }
}
