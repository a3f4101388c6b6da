import Support
import Testing

@testable import BrokerCore

/// An error and how it is written.
private struct ErrorRow: Sendable {
    let error: BayeuxError
    let wire: String
}

/// An instant, a time to add, and the sum.
private struct MomentRow: Sendable {
    let monotonic: UInt64
    let duration: Duration
    let sum: UInt64
}

/// A duration in the units that the broker counts in.
private struct DurationRow: Sendable {
    let duration: Duration
    let nanoseconds: UInt64
    let milliseconds: Int
}

@Suite("What is written and counted")
struct WireTextTests {
    private static let errors = [
        ErrorRow(error: .connectionTypes(["a", "b"]), wire: "301:a,b:Connection types not supported"),
        ErrorRow(error: .connectionTypes([]), wire: "301::Connection types not supported"),
        ErrorRow(error: .unknownClient("x"), wire: "401:x:Unknown client"),
        ErrorRow(error: .missing("data"), wire: "402:data:Missing required parameter"),
        ErrorRow(error: .forbidden("/meta/x"), wire: "403:/meta/x:Forbidden channel"),
        ErrorRow(error: .invalidChannel("/a//b"), wire: "405:/a//b:Invalid channel"),
        ErrorRow(error: .invalidChannel(nil), wire: "405::Invalid channel"),
        ErrorRow(error: .publishFailed("/a"), wire: "407:/a:Failed to publish"),
        ErrorRow(error: .tooMany("sessions"), wire: "429:sessions:Limit reached"),
        ErrorRow(error: .internalError(), wire: "500::Internal server error"),
    ]

    @Test("Errors", arguments: errors)
    private func error(row: ErrorRow) {
        #expect(row.error.wire == row.wire)
    }

    @Test("Advice")
    func advice() {
        #expect(Advice(reconnect: .none).json == #"{"reconnect":"none"}"#)
        #expect(Advice(reconnect: .handshake, interval: 7).json == #"{"reconnect":"handshake","interval":7}"#)
        #expect(
            Advice(reconnect: .retry, interval: 0, timeout: 60_000).json
                == #"{"reconnect":"retry","interval":0,"timeout":60000}"#)
    }

    private static let moments = [
        MomentRow(monotonic: 5, duration: .nanoseconds(3), sum: 8),
        MomentRow(monotonic: 5, duration: .seconds(-1), sum: 5),
        MomentRow(monotonic: .max - 1, duration: .nanoseconds(1), sum: .max),
        MomentRow(monotonic: .max - 1, duration: .seconds(1), sum: .max),
        MomentRow(monotonic: 0, duration: .seconds(Int64.max), sum: .max),
    ]

    @Test("Instants saturate", arguments: moments)
    private func moment(row: MomentRow) {
        #expect(Moment(monotonic: row.monotonic, wall: 0).adding(row.duration) == row.sum)
    }

    private static let durations = [
        DurationRow(duration: .zero, nanoseconds: 0, milliseconds: 0),
        DurationRow(duration: .seconds(-5), nanoseconds: 0, milliseconds: 0),
        DurationRow(duration: .nanoseconds(999_999), nanoseconds: 999_999, milliseconds: 0),
        DurationRow(duration: .milliseconds(1500), nanoseconds: 1_500_000_000, milliseconds: 1500),
        DurationRow(
            duration: Duration(secondsComponent: 1, attosecondsComponent: 1), nanoseconds: 1_000_000_000,
            milliseconds: 1000),
        DurationRow(
            duration: .seconds(18_446_744_073), nanoseconds: 18_446_744_073_000_000_000,
            milliseconds: 18_446_744_073_000),
        // The last second that 64 bits of nanoseconds hold only in part.
        DurationRow(
            duration: .seconds(18_446_744_073) + .milliseconds(999), nanoseconds: .max,
            milliseconds: 18_446_744_073_709),
        DurationRow(duration: .seconds(Int64.max), nanoseconds: .max, milliseconds: 18_446_744_073_709),
    ]

    @Test("Durations saturate", arguments: durations)
    private func duration(row: DurationRow) {
        #expect(row.duration.nanosecondsClamped == row.nanoseconds)
        #expect(row.duration.milliseconds == row.milliseconds)
    }
}

@Suite("Client ids")
struct ClientIDTests {
    @Test("31 characters of base 36, never the same, every digit equally often")
    func distribution() {
        var generator = SeededGenerator(seed: 36)
        var counts: [Character: Int] = [:]
        var seen: Set<String> = []
        let count = 4000
        for _ in 0..<count {
            let id = ClientID.make(using: &generator)
            #expect(id.utf8.count == 31)
            #expect(id.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) })
            #expect(seen.insert(id).inserted)
            // 160 bits fill 30 digits and a part of the first.
            for digit in id.dropFirst() { counts[digit, default: 0] += 1 }
        }
        #expect(counts.count == 36)
        let expected = Double(count * 30) / 36
        #expect(counts.values.allSatisfy { abs(Double($0) - expected) < expected * 0.1 })
    }

    @Test("The number is written whole, with zeros on the left")
    func padding() {
        var zeros = Constant(word: 0)
        #expect(ClientID.make(using: &zeros) == String(repeating: "0", count: 31))
        var ones = Constant(word: .max)
        // 2¹⁶⁰−1 in base 36.
        #expect(ClientID.make(using: &ones) == "twj4yidkw7a8pn4g709kzmfoaol3x8f")
    }
}

/// A generator that gives the same word for ever.
private struct Constant: RandomNumberGenerator {
    let word: UInt64
    mutating func next() -> UInt64 { word }
}
