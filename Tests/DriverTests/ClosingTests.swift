import Testing

@testable import Driver

/// The closing handshake's machine: each state × each input, comparing actions.
@Suite struct ClosingHandshakeTests {
    enum State: CaseIterable, Sendable {
        case open, closeSent, closed
    }

    enum Input: CaseIterable, Sendable {
        case close, receiveClose, fail, receiveEnd, tooEarly, late
    }

    struct Row: Sendable {
        var state: State
        var input: Input
        var action: ClosingHandshake.Action
        var next: DriverState
    }

    static let rows = [
        Row(state: .open, input: .close, action: .sendClose(.normal, endStream: false), next: .closing),
        Row(state: .open, input: .receiveClose, action: .sendClose(.goingAway, endStream: true), next: .closed),
        Row(state: .open, input: .fail, action: .sendClose(.protocolError, endStream: true), next: .closed),
        Row(state: .open, input: .receiveEnd, action: .endStream, next: .closed),
        Row(state: .open, input: .tooEarly, action: .none, next: .open),
        Row(state: .open, input: .late, action: .none, next: .open),
        Row(state: .closeSent, input: .close, action: .none, next: .closing),
        Row(state: .closeSent, input: .receiveClose, action: .endStream, next: .closed),
        Row(state: .closeSent, input: .fail, action: .endStream, next: .closed),
        Row(state: .closeSent, input: .receiveEnd, action: .endStream, next: .closed),
        Row(state: .closeSent, input: .tooEarly, action: .none, next: .closing),
        Row(state: .closeSent, input: .late, action: .endStream, next: .closed),
        Row(state: .closed, input: .close, action: .none, next: .closed),
        Row(state: .closed, input: .receiveClose, action: .none, next: .closed),
        Row(state: .closed, input: .fail, action: .none, next: .closed),
        Row(state: .closed, input: .receiveEnd, action: .none, next: .closed),
        Row(state: .closed, input: .tooEarly, action: .none, next: .closed),
        Row(state: .closed, input: .late, action: .none, next: .closed),
    ]

    @Test func `the table is complete`() {
        #expect(Self.rows.count == State.allCases.count * Input.allCases.count)
    }

    @Test(arguments: rows) func `each state and input`(row: Row) {
        var machine: ClosingHandshake =
            switch row.state {
            case .open: .open
            case .closeSent: .closeSent(deadline: 100)
            case .closed: .closed(.normal)
            }
        let action =
            switch row.input {
            case .close: machine.close(.normal, deadline: 200)
            case .receiveClose: machine.receiveClose(.goingAway)
            case .fail: machine.fail(.protocolError)
            case .receiveEnd: machine.receiveEnd()
            case .tooEarly: machine.advance(to: 99)
            case .late: machine.advance(to: 100)
            }
        let (state, deadline) = (machine.state, machine.deadline)
        #expect(action == row.action)
        #expect(state == row.next)
        // A second close does not move the deadline of the first.
        #expect(deadline == (state == .closing ? row.state == .open ? 200 : 100 : nil))
    }
}

/// How the drivers close.
@Suite struct ClosingTests {
    @Test func `our close waits for the peer's and reports its code`() {
        let server = ServerEnd.open(DriverOptions(closeTimeout: .seconds(2)))
        #expect(server.close(.goingAway, "bye", now: 7))
        #expect(server.takeFrames() == [WrittenFrame(opcode: 8, payload: [3, 233] + Array("bye".utf8))])
        #expect(server.takeEvents() == [])
        #expect(server.state == .closing)
        #expect(server.nextDeadline == 2_000_000_007)
        #expect(!server.shouldCloseTransport)
        #expect(!server.close(.normal))
        #expect(!server.send("late"))
        #expect(!server.ping())
        server.receive(WireFrame.close(4000, "you too").bytes)
        #expect(server.takeEvents() == [.closed(CloseCode(rawValue: 4000), "you too")])
        #expect(server.shouldCloseTransport)
        #expect(server.nextDeadline == nil)
        #expect(!server.hasOutput)
    }

    @Test func `after our close frames are checked, not delivered or answered`() {
        let frames: [WireFrame] = [
            .text("dropped"), WireFrame(9, [1]), WireFrame(10), .text("half", isFinal: false), WireFrame(0, [0x61]),
            WireFrame(8),
        ]
        for chunks in cuts(of: frames.bytes) {
            let server = ServerEnd.open()
            server.close()
            _ = server.takeOutput()
            for chunk in chunks { server.receive(chunk) }
            #expect(server.takeEvents() == [.closed(.noStatus, "")])
            #expect(!server.hasOutput)
        }
    }

    @Test(arguments: FrameTests.violations) func `a violation while closing ends it at once`(row: FrameTests.Row) {
        for chunks in cuts(of: row.frames.bytes) {
            let server = ServerEnd.open()
            server.close()
            _ = server.takeOutput()
            for chunk in chunks { server.receive(chunk) }
            #expect(server.takeEvents() == row.events.suffix(2))
            #expect(!server.hasOutput)
            #expect(server.shouldCloseTransport)
        }
    }

    @Test func `a message is checked to its end when we close within it`() {
        let server = ServerEnd.open()
        server.receive([.text("abc", isFinal: false), WireFrame(0, [0xE2], isFinal: false)].bytes)
        server.close()
        server.receive(WireFrame(0, [0x82, 0xAC]).bytes)
        #expect(server.takeEvents() == [])
        #expect(server.state == .closing)
    }

    @Test func `a peer who does not answer is given up`() {
        let server = ServerEnd.open(DriverOptions(closeTimeout: .milliseconds(1)))
        server.close(now: 10)
        server.advance(to: 1_000_009)
        #expect(server.takeEvents() == [])
        server.advance(to: 1_000_010)
        #expect(server.takeEvents() == [.closed(.abnormal, "")])
        #expect(server.shouldCloseTransport)
        server.advance(to: 2_000_000)
        server.receiveEnd()
        #expect(server.takeEvents() == [])
    }

    @Test func `input after the end is discarded`() {
        let server = ServerEnd.open()
        server.receive(WireFrame.close(1000).bytes)
        _ = server.takeEvents()
        _ = server.takeOutput()
        for _ in 0..<100 { server.receive([.text("a"), WireFrame(9), WireFrame(3)].bytes) }
        server.receiveEnd()
        server.advance(to: .max)
        #expect(server.takeEvents() == [])
        #expect(!server.hasOutput)
        #expect(!server.send("a"))
        #expect(!server.close())
    }

    @Test func `the end of the stream without a close is 1006`() throws {
        let server = ServerEnd.open()
        server.receive(Array(WireFrame.text("cut").bytes.dropLast()))
        server.receiveEnd()
        server.receiveEnd()
        #expect(server.takeEvents() == [.closed(.abnormal, "")])
        let client = try ClientEnd()
        client.start()
        client.receiveEnd()
        #expect(client.takeEvents() == [.closed(.abnormal, "")])
        #expect(client.shouldCloseTransport)
        let young = ServerEnd()
        young.receive("GET")
        young.receiveEnd()
        #expect(young.takeEvents() == [.closed(.abnormal, "")])
    }

    @Test func `a close before the connection is open`() throws {
        let server = ServerEnd()
        server.receive(sampleRequest)
        _ = server.takeEvents()
        #expect(server.close(.goingAway, "no"))
        #expect(server.state == .closed)
        #expect(server.shouldCloseTransport)
        #expect(!server.hasOutput)
        #expect(!server.close())
        #expect(!server.start())
        #expect(server.takeEvents() == [.closed(.goingAway, "no")])
        server.receive(WireFrame.text("a").bytes)
        server.receiveEnd()
        #expect(server.takeEvents() == [])

        let early = ServerEnd()
        early.close(.normal, "early")
        early.receive("GET")
        #expect(early.takeEvents() == [.closed(.normal, "early")])

        let client = try ClientEnd()
        #expect(client.close())
        #expect(!client.start())
        client.receiveEnd()
        #expect(client.takeEvents() == [.closed(.normal, "")])
    }

    @Test(arguments: [UInt16(0), 999, 1004, 1006, 1015, 1016, 2999, 5000]) func `codes that must not be sent`(
        code: UInt16
    ) {
        let server = ServerEnd.open()
        #expect(!server.close(CloseCode(rawValue: code)))
        #expect(server.state == .open)
        #expect(!server.hasOutput)
    }

    @Test func `1005 sends an empty close`() {
        let server = ServerEnd.open()
        #expect(server.close(.noStatus, "ignored"))
        #expect(server.takeFrames() == [WrittenFrame(opcode: 8, payload: [])])
    }

    struct Reason: Sendable {
        var reason: String
        var sent: String
    }

    @Test(arguments: [
        Reason(reason: String(repeating: "a", count: 123), sent: String(repeating: "a", count: 123)),
        Reason(reason: String(repeating: "a", count: 200), sent: String(repeating: "a", count: 123)),
        Reason(reason: String(repeating: "a", count: 122) + "é", sent: String(repeating: "a", count: 122)),
        Reason(reason: String(repeating: "a", count: 120) + "😀", sent: String(repeating: "a", count: 120)),
        Reason(reason: String(repeating: "a", count: 119) + "😀b", sent: String(repeating: "a", count: 119) + "😀"),
    ]) func `reasons are cut at the end of a character`(row: Reason) throws {
        let server = ServerEnd.open()
        server.close(.normal, row.reason)
        #expect(server.takeFrames() == [WrittenFrame(opcode: 8, payload: [3, 232] + Array(row.sent.utf8))])
        let client = try ClientEnd.open()
        client.close(.normal, row.reason)
        #expect(client.takeFrames() == [WrittenFrame(opcode: 8, payload: [3, 232] + Array(row.sent.utf8))])
    }

    @Test func `the handshake has a deadline`() {
        let server = ServerEnd(now: 5)
        #expect(server.nextDeadline == 10_000_000_005)
        server.receive("GET / HTTP/1.1\r\n")
        server.advance(to: 10_000_000_004)
        #expect(server.state == .connecting)
        server.advance(to: 10_000_000_005)
        #expect(server.takeText().hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
        #expect(server.takeEvents().count == 2)
        #expect(server.nextDeadline == nil)

        let waiting = ServerEnd()
        waiting.receive(sampleRequest)
        waiting.advance(to: .max)
        #expect(waiting.takeText().hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
        #expect(ServerEnd.open().nextDeadline == nil)
    }

    @Test(arguments: [Duration.seconds(Int64.max), .zero, .seconds(-1)]) func `deadlines stay in range`(
        timeout: Duration
    ) {
        let server = ServerEnd(DriverOptions(handshakeTimeout: timeout), now: 7)
        #expect(server.nextDeadline == (timeout > .zero ? .max : 7))
    }
}
