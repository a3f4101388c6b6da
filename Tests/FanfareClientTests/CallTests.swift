import NIOCore
import Support
import Testing

@testable import FanfareClient

/// What a caller asks for, in each state of the session.
struct CallTests {
    /// What becomes of a call at once.
    enum Fate: Sendable {
        case done
        /// The client is closed.
        case refused
        /// Nothing is sent for it yet.
        case waits
        /// The broker is asked.
        case sent
    }

    struct Row: CustomTestStringConvertible, Sendable {
        var testDescription: String { "\(phase)" }
        let phase: ClientCore.Phase
        let begin: Fate
        /// Of a subscription, a publication, and a request to a service.
        let message: Fate
        let close: Fate
        let enter: @Sendable (SessionHarness) -> Void
    }
    static let rows = [
        Row(phase: .idle, begin: .waits, message: .waits, close: .done) { _ in },
        Row(phase: .dialing, begin: .waits, message: .waits, close: .done) { $0.core.start() },
        Row(phase: .shakingHands, begin: .waits, message: .waits, close: .done) {
            $0.core.start()
            $0.open()
        },
        Row(phase: .open, begin: .done, message: .sent, close: .sent) { $0.establish() },
        Row(phase: .waiting, begin: .waits, message: .waits, close: .done) {
            $0.establish()
            $0.lose()
        },
        Row(phase: .resuming, begin: .waits, message: .waits, close: .done) {
            $0.establish()
            $0.lose()
            $0.waitForDial()
            $0.open()
        },
        Row(phase: .closing, begin: .refused, message: .refused, close: .done) {
            $0.establish()
            $0.close()
        },
        Row(phase: .closed, begin: .refused, message: .refused, close: .done) {
            $0.establish()
            $0.core.end(nil)
        },
    ]

    private static func harness(in row: Row) throws -> SessionHarness {
        let harness = try SessionHarness()
        row.enter(harness)
        #expect(harness.core.phase == row.phase)
        _ = harness.take()
        return harness
    }

    /// What has become of a call for which that was sent; nil if it failed for another reason.
    private static func fate<Value, Failure>(_ outcome: Result<Value, Failure>?, _ sent: [JSON]) -> Fate? {
        switch outcome {
        case .success?: .done
        case .failure(let error)?: (error as? ClientError) == ClientError.clientClosed ? .refused : nil
        case nil: sent.isEmpty ? .waits : .sent
        }
    }

    @Test(arguments: rows)
    func begin(row: Row) throws {
        let harness = try Self.harness(in: row)
        let ready = harness.begin()
        #expect(Self.fate(ready.outcome, harness.take()) == row.begin)
        #expect(harness.core.phase == (row.phase == .idle ? .dialing : row.phase))
        harness.core.end(nil)
        #expect(ready.outcome != nil)
    }

    @Test(arguments: rows)
    func subscribe(row: Row) throws {
        let harness = try Self.harness(in: row)
        let answered = try harness.subscribe("/a").answered
        #expect(Self.fate(answered.outcome, harness.take()) == row.message)
        harness.core.end(nil)
        #expect(throws: ClientError.clientClosed) { try answered.outcome?.get() }
    }

    @Test(arguments: rows)
    func publish(row: Row) throws {
        let harness = try Self.harness(in: row)
        let outcomes = harness.publish([FanfareClient.Publication(Array("1".utf8), to: "/a")])
        #expect(Self.fate(outcomes.list?.first, harness.take()) == row.message)
        #expect(harness.publish([]).list?.isEmpty == true)
        harness.core.end(nil)
        #expect(throws: ClientError.clientClosed) { try outcomes.list?.first?.get() }
    }

    @Test(arguments: rows)
    func request(row: Row) throws {
        let harness = try Self.harness(in: row)
        let answer = harness.request()
        #expect(Self.fate(answer.outcome, harness.take()) == row.message)
        harness.core.end(nil)
        #expect(throws: ClientError.clientClosed) { try answer.outcome?.get() }
    }

    /// A broker that is told of the end is not waited for without end.
    @Test(arguments: rows)
    func close(row: Row) throws {
        let harness = try Self.harness(in: row)
        let closed = harness.close()
        let sent = harness.take()
        #expect(Self.fate(closed.outcome, sent) == row.close)
        let farewell: [JSON] = row.close == .sent ? [["channel": "/meta/disconnect", "clientId": "one"]] : []
        #expect(sent == farewell)
        harness.advance(.seconds(2))
        #expect(closed.outcome != nil)
        #expect(harness.core.phase == .closed)
    }
}
