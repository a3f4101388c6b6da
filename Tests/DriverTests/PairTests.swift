import Driver
import Support
import Testing

/// A client and a server joined by a link that cuts as it likes: what one sends, the other gets, in order.
@Suite struct PairTests {
    @Test(arguments: 0..<40) func `random operations`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let client = try ClientEnd()
        let server = ServerEnd()
        var toServer: [UInt8] = []
        var toClient: [UInt8] = []
        var sentByClient: [Event] = []
        var sentByServer: [Event] = []
        var heardByServer: [Event] = []
        var heardByClient: [Event] = []
        client.start()

        func link(_ bytes: inout [UInt8], _ receive: ([UInt8]) -> Void, all: Bool) {
            let count = all ? bytes.count : Int.random(in: 0...bytes.count, using: &generator)
            receive(Array(bytes.prefix(count)))
            bytes.removeFirst(count)
        }
        func deliver(all: Bool) {
            toServer += client.takeOutput()
            link(&toServer, server.receive, all: all)
            heardByServer += server.takeEvents()
            if server.request != nil { server.start() }
            heardByServer += server.takeEvents()
            toClient += server.takeOutput()
            link(&toClient, client.receive, all: all)
            heardByClient += client.takeEvents()
        }

        for _ in 0..<200 {
            let payload = generator.bytes(
                Int.random(in: 0...1, using: &generator) * Int.random(in: 0...400, using: &generator))
            let text = String(decoding: payload, as: UTF8.self)
            let short = Array(payload.prefix(125))
            switch Int.random(in: 0...9, using: &generator) {
            case 0: if client.send(text) { sentByClient.append(.text(text)) }
            case 1: if server.send(text) { sentByServer.append(.text(text)) }
            case 2: if client.sendBinary(payload) { sentByClient.append(.binary(payload)) }
            case 3: if server.sendBinary(payload) { sentByServer.append(.binary(payload)) }
            case 4: if client.ping(short) { sentByClient.append(.ping(short)) }
            case 5: if server.ping(short) { sentByServer.append(.ping(short)) }
            case 6: if server.pong(short) { sentByServer.append(.pong(short)) }
            default: deliver(all: false)
            }
        }
        for _ in 0..<4 { deliver(all: true) }
        let closer = Bool.random(using: &generator)
        #expect(closer ? client.close(.goingAway, "end") : server.close(.goingAway, "end"))
        for _ in 0..<4 { deliver(all: true) }

        // Every ping was answered; apart from that, each side heard what the other one sent.
        let pongsToClient = sentByClient.compactMap { if case .ping(let bytes) = $0 { Event.pong(bytes) } else { nil } }
        let pongsToServer = sentByServer.compactMap { if case .ping(let bytes) = $0 { Event.pong(bytes) } else { nil } }
        let end = Event.closed(.goingAway, "end")
        #expect(heardByServer.filter(\.isNoPong) == [.connect(target: "/chat"), .open] + sentByClient + [end])
        #expect(heardByClient.filter(\.isNoPong) == [.open] + sentByServer.filter(\.isNoPong) + [end])
        #expect(heardByServer.filter { !$0.isNoPong } == pongsToServer)
        #expect(heardByClient.count { !$0.isNoPong } == pongsToClient.count + sentByServer.count { !$0.isNoPong })
        #expect(client.shouldCloseTransport)
        #expect(server.shouldCloseTransport)
    }

    /// Garbage makes messages or a violation, and the same ones however it is cut.
    @Test(arguments: 0..<300) func `random bytes`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            var frame = WireFrame(
                [0, 1, 2, 8, 9, 10].randomElement(using: &generator) ?? 0,
                Array("aé€😀".utf8.prefix(Int.random(in: 0...10, using: &generator))),
                isFinal: Bool.random(using: &generator))
            if Int.random(in: 0...9, using: &generator) == 0 {
                frame.announcedBytes = UInt64.random(in: 0...200, using: &generator)
            }
            bytes += frame.bytes
        }
        if Bool.random(using: &generator) {
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] ^= 1 << UInt8.random(in: 0...7, using: &generator)
        }
        let whole = ServerEnd.open()
        whole.receive(bytes)
        let (events, output) = (whole.takeEvents(), whole.takeOutput())
        #expect(WrittenFrame.parseAll(output, masked: false) != nil)
        for chunks in cuts(of: bytes).dropFirst() {
            let server = ServerEnd.open()
            for chunk in chunks { server.receive(chunk) }
            #expect(server.takeEvents() == events)
            #expect(server.takeOutput() == output)
        }
    }
}

extension Event {
    var isNoPong: Bool { if case .pong = self { false } else { true } }
}
