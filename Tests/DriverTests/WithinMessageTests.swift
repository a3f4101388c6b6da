import Driver
import Testing

/// What an owner learns of messages that are under way.
@Suite struct WithinMessageTests {
    @Test func `a frame that comes in pieces`() {
        let server = ServerEnd.open()
        #expect(!server.isWithinMessage)
        let frame: [UInt8] = [0x81, 0x82, 0, 0, 0, 0] + Array("hi".utf8)
        for byte in frame.dropLast() {
            server.receive([byte])
            #expect(server.isWithinMessage)
        }
        server.receive([frame[frame.count - 1]])
        #expect(!server.isWithinMessage)
    }

    @Test func `fragments, and what comes between them`() {
        let server = ServerEnd.open()
        server.receive([0x01, 0x80, 0, 0, 0, 0])
        #expect(server.isWithinMessage)
        server.receive([0x89, 0x80, 0, 0, 0, 0])
        #expect(server.isWithinMessage)
        server.receive([0x80, 0x80, 0, 0, 0, 0])
        #expect(!server.isWithinMessage)
    }

    @Test func `a whole message and the beginning of another`() {
        let server = ServerEnd.open()
        server.receive([0x81, 0x80, 0, 0, 0, 0, 0x81])
        #expect(server.isWithinMessage)
    }

    @Test func `a ping whose payload is missing`() {
        let server = ServerEnd.open()
        server.receive([0x89, 0x81, 0, 0, 0, 0])
        #expect(server.isWithinMessage)
    }

    @Test func `a text of hixie-75`() {
        let server = ServerEnd()
        server.receive("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n")
        #expect(server.start())
        #expect(!server.isWithinMessage)
        server.receive([0, 0x61])
        #expect(server.isWithinMessage)
        server.receive([0xFF])
        #expect(!server.isWithinMessage)
    }

    @Test func `not before the handshake, nor after the end`() {
        let server = ServerEnd()
        server.receive("GET /chat HTTP/1.1\r\n")
        #expect(!server.isWithinMessage)
    }
}
