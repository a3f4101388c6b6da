import Testing

@testable import BrokerFront

/// The `Date` of responses.
@Suite(.timeLimit(.minutes(10)))
struct HTTPDateTests {
    struct Row: CustomTestStringConvertible, Sendable {
        var testDescription: String { text }
        let wall: Int64
        let text: String
    }
    static let rows = [
        Row(wall: 784_111_777_999, text: "Sun, 06 Nov 1994 08:49:37 GMT"),
        Row(wall: 0, text: "Thu, 01 Jan 1970 00:00:00 GMT"),
        Row(wall: 1_709_251_199_000, text: "Thu, 29 Feb 2024 23:59:59 GMT"),
        Row(wall: 4_102_444_800_000, text: "Fri, 01 Jan 2100 00:00:00 GMT"),
    ]

    @Test(arguments: rows)
    func text(row: Row) {
        var date = HTTPDate()
        #expect(date.text(at: row.wall) == row.text)
        #expect(date.text(at: row.wall) == row.text)
        #expect(date.text(at: row.wall + 1000) != row.text)
        #expect(date.text(at: row.wall) == row.text)
    }

    @Test
    func everyResponseHasOne() async throws {
        try await TestBroker.run { broker in
            let socket = try await broker.connect()
            for target in ["/health/live", "/nowhere", "/channels/a"] {
                let answer = try await socket.request("GET", target)
                #expect(answer.headers["date"]?.hasSuffix(" GMT") == true, "\(target)")
            }
        }
    }
}
