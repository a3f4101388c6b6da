import Driver

/// The driver with permessage-deflate; the peers have no compression of their own.
final class Deflated {
    private var driver: ServerDriver
    private var sink = CountingSink()

    /// Its peer compresses each message by itself, so that one stream can be received again and again; it does not.
    private init() {
        var options = PermessageDeflate.Options()
        options.requestNoContextTakeover = true
        driver = ServerDriver()
        do {
            try driver.addExtension(PermessageDeflate(options))
        } catch {
            preconditionFailure("Cannot use permessage-deflate: \(error)")
        }
    }

    /// A stream of messages by a client of ours, and the driver that agreed with it on how to read it.
    static func receiving(_ payload: [UInt8], count: Int) -> Contender {
        let server = Deflated()
        let stream = server.open(sending: payload, count: count)
        return Contender(name: "ours") {
            server.sink.payloadBytes = 0
            server.driver.receive(stream.span.bytes, into: &server.sink)
            return server.sink.payloadBytes
        }
    }

    static func sending(_ payload: [UInt8], count: Int) -> Contender {
        let server = Deflated()
        _ = server.open(sending: payload, count: 1)
        return Contender(name: "ours") {
            var sent = 0
            for _ in 0..<count where server.driver.text(payload.span.bytes) {
                sent += server.driver.drainOutput { $0.byteCount } > 0 ? 1 : 0
            }
            return sent
        }
    }

    private func open(sending payload: [UInt8], count: Int) -> [UInt8] {
        do {
            var client = ClientDriver(url: try WebSocketURL("ws://server.example.com/chat"))
            try client.addExtension(PermessageDeflate())
            client.start()
            driver.receive(client.takeOutput().span.bytes, into: &sink)
            driver.start(into: &sink)
            client.receive(driver.takeOutput().span.bytes, into: &sink)
            for _ in 0..<count { client.text(payload.span.bytes) }
            precondition(driver.wireForm != .hybi, "permessage-deflate was not agreed on")
            return client.takeOutput()
        } catch {
            preconditionFailure("Cannot open a connection: \(error)")
        }
    }
}
