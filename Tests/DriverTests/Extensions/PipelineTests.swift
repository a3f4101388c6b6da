import Driver
import Support
import Testing

@Suite struct PipelineTests {
    static func masked(_ text: String) -> [UInt8] { WireFrame.text(text).bytes }

    static func texts(_ bytes: [UInt8]) -> [String]? {
        BitFrame.parseAll(bytes)?.map { $0.opcode == 8 ? "close" : String(decoding: $0.payload, as: UTF8.self) }
    }

    @Test func `order through two sessions`() throws {
        let (first, second) = (ManualExtension("a", .rsv1), ManualExtension("b", .rsv2))
        let server = try ServerEnd.open([first, second], offering: "a, b")
        #expect(server.send("x") && server.ping([1]))
        // Each changes its own bits only.
        #expect(
            BitFrame.parseAll(server.takeOutput())
                == [BitFrame([.rsv1, .rsv2], 1, Array("xab".utf8)), BitFrame([], 9, [1])])
        server.receive(WireFrame(1, Array("y".utf8), reservedBits: 0x60).bytes)
        #expect(server.takeEvents() == [.text("yba")])
        #expect(second.session.calls.last?.bits == [.rsv1, .rsv2])
        #expect(first.session.calls.last?.bits == .rsv1)
    }

    @Test func `an async session keeps the order`() throws {
        let only = ManualExtension("a") { _ in .wait }
        let server = try ServerEnd.open([only], offering: "a")
        for text in ["1", "2", "3"] {
            #expect(server.send(text))
            server.receive(Self.masked(text))
        }
        #expect(!server.hasOutput)
        #expect(server.takeEvents() == [])
        // Both directions are in there, in turn: 1 out, 1 in, 2 out, …
        let waiting = only.session.waiting
        only.session.waiting = []
        for index in [5, 4, 3, 2] { server.complete(waiting[index].token, waiting[index].result) }
        #expect(!server.hasOutput)
        #expect(server.takeEvents() == [])
        // Control frames wait for nothing.
        server.receive(WireFrame(9, [9]).bytes)
        #expect(server.takeEvents() == [.ping([9])])
        _ = server.takeOutput()
        server.complete(waiting[0].token, waiting[0].result)
        #expect(Self.texts(server.takeOutput()) == ["1a", "2a", "3a"])
        server.complete(waiting[1].token, waiting[1].result)
        #expect(server.takeEvents() == [.text("1a"), .text("2a"), .text("3a")])
        // A token counts once.
        for one in waiting { server.complete(one.token, one.result) }
        #expect(!server.hasOutput)
        #expect(server.takeEvents() == [])
    }

    @Test func `a failure to send is reported by the next call`() throws {
        let only = ManualExtension("a") { _ in .fail }
        for way in 0..<3 {
            let server = try ServerEnd.open([only], offering: "a")
            #expect(!server.send("x"))
            #expect(!server.send("y"))
            #expect(!server.close())
            #expect(server.state == .closing)
            #expect(server.nextDeadline == 0)
            switch way {
            case 0: server.advance(to: 0)
            case 1: server.receive(Self.masked("z"))
            default: server.receiveEnd()
            }
            #expect(server.takeEvents() == Event.violation(.policyViolation, "a: no"))
            #expect(Self.texts(server.takeOutput()) == ["close"])
            #expect(server.shouldCloseTransport)
            #expect(server.nextDeadline == nil)
        }
    }

    @Test func `our Close frame waits, and then sessions are closed`() throws {
        let only = ManualExtension("a") { _ in .wait }
        let server = try ServerEnd.open([only], offering: "a")
        #expect(server.send("1") && server.send("2"))
        server.receive(Self.masked("3"))
        #expect(server.close())
        #expect(!server.close())
        #expect(!server.send("4"))
        server.receive(Self.masked("dropped"))
        #expect(server.state == .closing && !server.hasOutput && only.session.closeCount == 0)
        let waiting = only.session.waiting
        only.session.waiting = []
        server.complete(waiting[0].token, waiting[0].result)
        server.complete(waiting[1].token, waiting[1].result)
        #expect(Self.texts(server.takeOutput()) == ["1a", "2a"])
        server.complete(waiting[2].token, waiting[2].result)
        #expect(server.takeEvents() == [.text("3a")])
        #expect(Self.texts(server.takeOutput()) == ["close"])
        #expect(only.session.closeCount == 1)
        server.receive(WireFrame.close(1000).bytes)
        #expect(server.takeEvents() == [.closed(.normal, "")])
        #expect(only.session.closeCount == 1)
    }

    @Test func `the peer's Close frame waits`() throws {
        let only = ManualExtension("a") { _ in .wait }
        let server = try ServerEnd.open([only], offering: "a")
        server.receive(Self.masked("1") + WireFrame.close(1001, "bye").bytes + Self.masked("behind"))
        server.receiveEnd()
        #expect(server.state == .closing)
        #expect(!server.send("x"))
        #expect(server.takeEvents() == [])
        let waiting = only.session.waiting
        only.session.waiting = []
        for one in waiting { server.complete(one.token, one.result) }
        #expect(server.takeEvents() == [.text("1a"), .closed(.goingAway, "bye")])
        #expect(Self.texts(server.takeOutput()) == ["close"])
        #expect(only.session.closeCount == 1)
    }

    @Test func `the end of the stream and violations wait`() throws {
        for isViolation in [true, false] {
            let only = ManualExtension("a") { _ in .wait }
            let server = try ServerEnd.open([only], offering: "a")
            server.receive(Self.masked("1"))
            if isViolation { server.receive(WireFrame(3).bytes) } else { server.receiveEnd() }
            #expect(server.takeEvents() == [])
            let waiting = only.session.waiting
            only.session.waiting = []
            for one in waiting { server.complete(one.token, one.result) }
            let end =
                isViolation
                ? Event.violation(.protocolError, "Unrecognized frame opcode: 3") : [.closed(.abnormal, "")]
            #expect(server.takeEvents() == [.text("1a")] + end)
            #expect(only.session.closeCount == 1)
        }
    }

    @Test func `a session is closed when nothing is pending in it`() throws {
        let (first, second) = (ManualExtension("a", behave: { _ in .wait }), ManualExtension("b"))
        let server = try ServerEnd.open([first, second], offering: "a, b")
        #expect(server.send("1") && server.send("2"))
        #expect(server.close(now: 0))
        server.advance(to: 30_000_000_000)
        #expect(server.takeEvents() == [.closed(.abnormal, "")])
        #expect(first.session.closeCount == 0 && second.session.closeCount == 1)
        for _ in 0..<2 {
            let one = first.session.waiting.removeFirst()
            #expect(first.session.closeCount == 0)
            server.complete(one.token, one.result)
        }
        #expect(first.session.closeCount == 1 && !first.session.closedWhileWaiting)
        #expect(!server.hasOutput)
        #expect(server.takeEvents() == [])
    }

    @Test func `results are bounded and codes allowed`() throws {
        let only = ManualExtension("a") { _ in .wait }
        let server = try ServerEnd.open([only], offering: "a", DriverOptions(maximumMessageBytes: 3))
        server.receive(Self.masked("12") + Self.masked("123"))
        for one in only.session.waiting { server.complete(one.token, one.result) }
        #expect(
            server.takeEvents()
                == [.text("12a")] + Event.violation(.messageTooBig, "a: Message is too large when decoded"))

        let failing = ManualExtension("c") { _ in .wait }
        let third = try ServerEnd.open([failing], offering: "c")
        third.receive(Self.masked("1"))
        third.complete(
            failing.session.waiting[0].token, .failure(ExtensionFailure(closeCode: .abnormal, message: "odd")))
        #expect(third.takeEvents() == Event.violation(.protocolError, "c: odd"))
    }

    @Test func `a text that becomes invalid later`() throws {
        let only = ManualExtension("a") { _ in .wait }
        let server = try ServerEnd.open([only], offering: "a")
        server.receive(Self.masked("1") + Self.masked("2"))
        let tokens = only.session.waiting.map(\.token)
        server.complete(tokens[1], .success(ExtensionMessage(payload: [0x32])))
        server.complete(tokens[0], .success(ExtensionMessage(payload: [0xFF])))
        #expect(server.takeEvents() == Event.violation(.invalidPayload, "Could not decode a text frame as UTF-8"))
    }

    @Test func `idle memory`() throws {
        let only = ManualExtension("a")
        let server = try ServerEnd.open([only], offering: "a")
        server.releaseIdleMemory()
        #expect(only.session.releaseCount == 1)
    }

    /// Three sessions that finish, leave, wait or fail at random, completed in random order, against the plain model:
    /// messages in order, each through all sessions, up to the first that fails anywhere.
    @Test(arguments: 0..<400) func `random completions`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let isIncoming = Bool.random(using: &generator)
        let canFail = Bool.random(using: &generator)
        let count = Int.random(in: 1...30, using: &generator)
        let names = ["a", "b", "c"]
        // What each session does to each message, decided beforehand.
        let weights: [ManualSession.Behaviour] = [.finish, .leave, .wait, .wait, .wait]
        let plan = names.map { _ in
            (0..<count).map { _ -> ManualSession.Behaviour in
                if canFail, Int.random(in: 0..<40, using: &generator) == 0 {
                    return Bool.random(using: &generator) ? .fail : .waitAndFail
                }
                return weights.randomElement(using: &generator) ?? .wait
            }
        }
        let extensions = names.enumerated().map { place, name in
            ManualExtension(name) { call in plan[place][Int(call.payload[0])] }
        }
        let server = try ServerEnd.open(extensions, offering: "a, b, c")

        let order = isIncoming ? [2, 1, 0] : [0, 1, 2]
        var expected: [[UInt8]] = []
        var failure: String?
        messages: for number in 0..<count {
            var payload = [UInt8(number)]
            for place in order {
                switch plan[place][number] {
                case .fail, .waitAndFail:
                    failure = names[place] + ": no"
                    break messages
                case .leave: break
                case .finish, .wait: payload += Array(names[place].utf8)
                }
            }
            expected.append(payload)
        }

        func completeOne() {
            let ready = extensions.filter { !$0.session.waiting.isEmpty }
            guard let session = ready.randomElement(using: &generator)?.session else { return }
            let one = session.waiting.remove(at: Int.random(in: 0..<session.waiting.count, using: &generator))
            server.complete(one.token, one.result)
        }
        for number in 0..<count {
            if isIncoming {
                server.receive(WireFrame(2, [UInt8(number)]).bytes)
            } else {
                _ = server.sendBinary([UInt8(number)])
            }
            while Bool.random(using: &generator) { completeOne() }
        }
        while extensions.contains(where: { !$0.session.waiting.isEmpty }) { completeOne() }
        server.advance(to: 0)

        let events = server.takeEvents()
        let frames = try #require(BitFrame.parseAll(server.takeOutput()))
        let end = failure.map { Event.violation(.policyViolation, $0) } ?? []
        if isIncoming {
            #expect(events == expected.map(Event.binary) + end)
        } else {
            #expect(events == end)
            #expect(frames.filter { $0.opcode == 2 }.map(\.payload) == expected)
        }
        #expect(frames.count { $0.opcode == 8 } == (failure == nil ? 0 : 1))
        if failure == nil { #expect(server.close()) }
        for (place, one) in extensions.enumerated() {
            let seen = one.session.calls.map { Int($0.payload[0]) }
            #expect(seen == Array(0..<seen.count), "session \(names[place]) sees all messages in order")
            #expect(one.session.closeCount == 1 && !one.session.closedWhileWaiting)
        }
    }

    @Test func `the client's side`() throws {
        let only = ManualExtension("a") { _ in .wait }
        let client = try ClientEnd()
        try client.add(only)
        client.start()
        let server = ServerEnd()
        try server.add(ManualExtension("a") { _ in .leave })
        server.receive(client.takeOutput())
        server.start()
        client.receive(server.takeOutput())
        _ = (client.takeEvents(), server.takeEvents())
        #expect(client.send("1") && client.send("2"))
        client.receive(WireFrame.text("3").unmasked.bytes)
        #expect(client.close())
        for one in only.session.waiting.reversed() { client.complete(one.token, one.result) }
        #expect(client.takeEvents() == [.text("3a")])
        server.receive(client.takeOutput())
        #expect(server.takeEvents() == [.text("1a"), .text("2a"), .closed(.normal, "")])
        client.receive(server.takeOutput())
        #expect(client.takeEvents() == [.closed(.normal, "")])
    }
}
