import Driver
import Support
import Synchronization
import Testing

/// Closures that are called when a Pong comes.
@Suite struct PongTests {
    /// Notes the order of calls; a class, because closures outlive the call that takes them.
    private final class Notes: Sendable {
        private let notes = Mutex<[Int]>([])
        func add(_ number: Int) { notes.withLock { $0.append(number) } }
        func take() -> [Int] {
            notes.withLock { notes in
                defer { notes = [] }
                return notes
            }
        }
    }

    private static func pong(_ payload: [UInt8]) -> [UInt8] { WireFrame(10, payload).bytes }

    @Test func `a Pong answers its Ping and those before it`() {
        for chunks in cuts(of: Self.pong([2])) {
            let (server, notes) = (ServerEnd.open(), Notes())
            for number in 1...3 {
                #expect(server.ping([UInt8(number)]) { notes.add(number) })
            }
            for chunk in chunks { server.receive(chunk) }
            #expect(notes.take() == [1, 2])
            server.receive(Self.pong([2]))
            #expect(notes.take() == [])
            server.receive(Self.pong([3]))
            #expect(notes.take() == [3])
        }
    }

    @Test func `a Pong that nobody asked for calls nothing`() {
        let (server, notes) = (ServerEnd.open(), Notes())
        #expect(server.ping([1]) { notes.add(1) })
        server.receive(Self.pong([]) + Self.pong([9]) + Self.pong([1, 1]))
        #expect(notes.take() == [])
        #expect(server.takeEvents() == [.pong([]), .pong([9]), .pong([1, 1])])
    }

    @Test func `of the same payload the latest is answered, and with it the earlier one`() {
        let (server, notes) = (ServerEnd.open(), Notes())
        for number in 1...2 { #expect(server.ping([]) { notes.add(number) }) }
        server.receive(Self.pong([]))
        #expect(notes.take() == [1, 2])
    }

    @Test func `so many wait, and no more`() {
        let (server, notes) = (ServerEnd.open(), Notes())
        for number in 0..<128 { #expect(server.ping([UInt8(number)]) { notes.add(number) }) }
        #expect(!server.ping([200]) { notes.add(200) })
        #expect(server.ping([200]))
        server.receive(Self.pong([127]))
        #expect(notes.take() == Array(0..<128))
        #expect(server.ping([1]) { notes.add(1) })
    }

    @Test func `with the connection the closures go`() {
        let notes = Notes()
        weak var kept: Notes?
        do {
            let watched = Notes()
            kept = watched
            let server = ServerEnd.open()
            #expect(server.ping([1]) { watched.add(1) })
            server.receive(WireFrame.close(1000).bytes + Self.pong([1]))
            #expect(watched.take() == [])
            notes.add(0)
            #expect(server.state == .closed)
        }
        #expect(kept == nil)
    }

    @Test func `before it is open a Ping waits, and its closure with it`() {
        let (server, notes) = (ServerEnd(), Notes())
        #expect(server.ping([7]) { notes.add(7) })
        server.receive(sampleRequest)
        server.start()
        server.receive(Self.pong([7]))
        #expect(notes.take() == [7])
    }

    @Test func `a client's Ping`() throws {
        let (client, notes) = (try ClientEnd.open(), Notes())
        #expect(client.ping([1]) { notes.add(1) })
        client.receive(WireFrame(10, [1]).unmasked.bytes)
        #expect(notes.take() == [1])
        #expect(client.takeEvents() == [.pong([1])])
    }

    @Test func `one that is too long is not sent`() {
        let server = ServerEnd.open()
        #expect(!server.ping(Array(repeating: 0, count: 126)) { Issue.record("called") })
        #expect(!server.pong(Array(repeating: 0, count: 126)))
        #expect(!server.hasOutput)
        #expect(server.ping(Array(repeating: 0, count: 125)))
    }
}

/// What both ends offer under one name.
@Suite struct WebSocketDriverTests {
    private static func speak(_ driver: inout some WebSocketDriver & ~Copyable) -> [Bool] {
        [
            driver.text("a"), driver.binary([1].span.bytes), driver.ping(), driver.pong([2].span.bytes),
            driver.close(.goingAway, reason: "bye", now: 0), driver.text("late"),
        ]
    }

    @Test func `one function drives a server and a client`() throws {
        var server = ServerDriver()
        var client = ClientDriver(url: try WebSocketURL("ws://a.b"), generator: SeededGenerator(seed: 1))
        var sink = RecordingSink()
        client.start()
        let request = client.takeOutput()
        server.receive(request.span.bytes, into: &sink)
        server.start(into: &sink)
        let response = server.takeOutput()
        client.receive(response.span.bytes, into: &sink)
        #expect(Self.speak(&server) == [true, true, true, true, true, false])
        #expect(Self.speak(&client) == [true, true, true, true, true, false])
        let opcodes: [UInt8] = [1, 2, 9, 10, 8]
        #expect(WrittenFrame.parseAll(server.takeOutput(), masked: false)?.map(\.opcode) == opcodes)
        #expect(WrittenFrame.parseAll(client.takeOutput(), masked: true)?.map(\.opcode) == opcodes)
    }

    @Test func `an open connection is small`() {
        #expect(MemoryLayout<ServerDriver>.size <= 512)
    }

    @Test func `a request that is no handshake keeps all that came with it`() {
        let body = String(repeating: "b", count: 1000)
        let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + body
        for size in [1, 7, request.utf8.count] {
            let server = ServerEnd(DriverOptions(maximumQueuedBytes: 16))
            var rest = Array(request.utf8)[...]
            while !rest.isEmpty {
                server.receive(Array(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            #expect(server.takeEvents() == [.request(target: "/")])
            #expect(server.takeReceivedBytes() == Array(request.utf8))
        }
    }
}
