import Driver
import Testing

@Suite struct PreparedMessageTests {
    @Test func `plain and deflated`() throws {
        let message = PreparedMessage("Hello")
        let plain = ServerEnd.open()
        #expect(plain.wireForm == .hybi)
        #expect(message.bytes(for: .hybi) == [0x81, 5] + Array("Hello".utf8))

        let deflating = try DeflateTests.server("permessage-deflate; server_no_context_takeover")
        let form = try #require(deflating.wireForm)
        #expect(message.bytes(for: form) == [0xC1, 7] + DeflateTests.hello)
        // As the driver would have sent it, made once.
        #expect(deflating.send("Hello"))
        #expect(deflating.takeOutput() == message.bytes(for: form))
        let first = message.bytes(for: form)
        let second = message.bytes(for: form)
        #expect(first.withUnsafeBytes { $0.baseAddress } == second.withUnsafeBytes { $0.baseAddress })
    }

    @Test func `connections that cannot share`() throws {
        // With context takeover the driver's context would not know of it.
        #expect(try DeflateTests.server().wireForm == nil)
        #expect(try ServerEnd.open([ManualExtension("a")], offering: "a").wireForm == nil)
        #expect(ServerEnd().wireForm == nil)
        let closing = ServerEnd.open()
        closing.close()
        #expect(closing.wireForm == nil)
        // Not agreed on.
        #expect(try DeflateTests.server("other").wireForm == .hybi)
    }

    @Test func `settings that differ`() throws {
        let offer = "permessage-deflate; server_no_context_takeover"
        let wide = try #require(DeflateTests.server(offer).wireForm)
        let narrow = try #require(DeflateTests.server(offer + "; server_max_window_bits=9").wireForm)
        #expect(wide != narrow)
        #expect(try DeflateTests.server(offer).wireForm == wide)
        let payload = Array(String(repeating: "x", count: 100).utf8)
        let distant = payload + (0..<2000).map { UInt8(truncatingIfNeeded: $0 &* 167 ^ $0 >> 3) } + payload
        let message = try #require(PreparedMessage(.binary, distant))
        for (form, bits) in [(wide, ""), (narrow, "; server_max_window_bits=9")] {
            let client = try ClientEnd()
            try client.add(PermessageDeflate())
            client.start()
            let server = ServerEnd()
            try server.add(PermessageDeflate())
            server.receive(
                client.takeText().without("Sec-WebSocket-Extensions").with("Sec-WebSocket-Extensions: \(offer)\(bits)"))
            server.start()
            client.receive(server.takeOutput())
            _ = client.takeEvents()
            for _ in 0..<2 { client.receive(message.bytes(for: form)) }
            #expect(client.takeEvents() == [.binary(distant), .binary(distant)])
        }
    }

    @Test func `short messages stay plain`() throws {
        let server = try DeflateTests.server("permessage-deflate; server_no_context_takeover") { $0.minimumBytes = 6 }
        let form = try #require(server.wireForm)
        #expect(PreparedMessage("Hello").bytes(for: form) == PreparedMessage("Hello").bytes(for: .hybi))
        #expect(PreparedMessage("Hello!").bytes(for: form).first == 0xC1)
    }

    @Test func `text is UTF-8`() {
        #expect(PreparedMessage(.text, [0xC3]) == nil)
        #expect(PreparedMessage(.binary, [0xC3])?.bytes(for: .hybi) == [0x82, 1, 0xC3])
    }
}
