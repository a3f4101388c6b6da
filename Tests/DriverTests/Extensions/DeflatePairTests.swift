import Driver
import Support
import Testing

/// Both drivers with permessage-deflate, joined by a link that cuts as it likes.
@Suite struct DeflatePairTests {
    @Test(arguments: 0..<60) func `random messages`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        func options(_ generator: inout SeededGenerator) -> PermessageDeflate.Options {
            var options = PermessageDeflate.Options()
            options.level = Int.random(in: -1...9, using: &generator)
            options.memoryLevel = Int.random(in: 1...9, using: &generator)
            options.strategy = Int.random(in: 0...4, using: &generator)
            options.noContextTakeover = Bool.random(using: &generator)
            options.requestNoContextTakeover = Bool.random(using: &generator)
            if Bool.random(using: &generator) { options.maxWindowBits = Int.random(in: 9...15, using: &generator) }
            options.minimumBytes = Bool.random(using: &generator) ? 0 : 100
            return options
        }
        let client = try ClientEnd()
        let server = ServerEnd()
        var clientOptions = options(&generator)
        if Bool.random(using: &generator) {
            clientOptions.requestMaxWindowBits = Int.random(in: 9...15, using: &generator)
        }
        var serverOptions = options(&generator)
        if Bool.random(using: &generator) {
            serverOptions.requestMaxWindowBits = Int.random(in: 9...15, using: &generator)
        }
        try client.add(PermessageDeflate(clientOptions))
        try server.add(PermessageDeflate(serverOptions))
        client.start()
        server.receive(client.takeOutput())
        server.start()
        client.receive(server.takeOutput())
        #expect(client.takeEvents() == [.open])
        #expect(server.takeEvents() == [.connect(target: "/chat"), .open])

        var history: [[UInt8]] = [[]]
        for _ in 0..<40 {
            var payload = generator.bytes(Int.random(in: 0...300, using: &generator))
            // Something to refer back to, near and far.
            for _ in 0..<Int.random(in: 0...6, using: &generator) {
                payload += history.randomElement(using: &generator) ?? []
            }
            payload = Array(payload.prefix(60_000))
            history.append(payload)
            let text = String(decoding: payload, as: UTF8.self)
            let isText = Bool.random(using: &generator)
            let event = isText ? Event.text(text) : .binary(payload)
            let fromClient = Bool.random(using: &generator)
            var wire: [UInt8]
            if fromClient {
                #expect(isText ? client.send(text) : client.sendBinary(payload))
                wire = client.takeOutput()
            } else {
                #expect(isText ? server.send(text) : server.sendBinary(payload))
                wire = server.takeOutput()
            }
            while !wire.isEmpty {
                let piece = Array(wire.prefix(Int.random(in: 1...wire.count, using: &generator)))
                wire.removeFirst(piece.count)
                fromClient ? server.receive(piece) : client.receive(piece)
            }
            #expect((fromClient ? server.takeEvents() : client.takeEvents()) == [event])
            if Int.random(in: 0...4, using: &generator) == 0 {
                client.releaseIdleMemory()
                server.releaseIdleMemory()
            }
        }
        #expect(client.close(.goingAway, "end"))
        server.receive(client.takeOutput())
        client.receive(server.takeOutput())
        #expect(server.takeEvents() == [.closed(.goingAway, "end")])
        #expect(client.takeEvents() == [.closed(.goingAway, "end")])
    }
}
