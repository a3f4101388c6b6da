import Driver
import Testing

@Suite struct ExtensionNegotiationTests {
    @Test func registration() throws {
        let server = ServerEnd()
        try server.add(ManualExtension("a"))
        let error = #expect(throws: ExtensionRegistrationError.self) { try server.add(ManualExtension("a")) }
        #expect(error?.description == "An extension with name \"a\" is already registered")
        let name = #expect(throws: ExtensionRegistrationError.self) { try server.add(ManualExtension("a b")) }
        #expect(name == .invalidName("a b"))
        server.receive(sampleRequest)
        server.start()
        #expect(throws: ExtensionRegistrationError.tooLate) { try server.add(ManualExtension("b")) }
        let client = try ClientEnd()
        try client.add(ManualExtension("a"))
        client.start()
        #expect(throws: ExtensionRegistrationError.tooLate) { try client.add(ManualExtension("b")) }
    }

    struct ServerRow: Sendable, CustomTestStringConvertible {
        let name: String
        let extensions: [ManualExtension]
        let offer: String
        let response: String?
        var testDescription: String { name }
    }

    @Test(arguments: [
        ServerRow(name: "none registered", extensions: [], offer: "a", response: nil),
        ServerRow(name: "none offered", extensions: [ManualExtension("a")], offer: "b", response: nil),
        ServerRow(name: "one", extensions: [ManualExtension("a")], offer: "b, a; x=1", response: "a; x=1"),
        ServerRow(name: "first offer", extensions: [ManualExtension("a")], offer: "a; x, a; y", response: "a; x"),
        ServerRow(
            name: "order of registration", extensions: [ManualExtension("a", .rsv1), ManualExtension("b", .rsv2)],
            offer: "b, a", response: "a, b"),
        ServerRow(
            name: "bit taken", extensions: [ManualExtension("a", .rsv1), ManualExtension("b", [.rsv1, .rsv3])],
            offer: "b, a", response: "a"),
        ServerRow(
            name: "bit not taken by one that declines",
            extensions: [ManualExtension("a", .rsv1, declines: true), ManualExtension("b", .rsv1)],
            offer: "a, b", response: "b"),
    ]) func server(row: ServerRow) throws {
        let server = ServerEnd()
        for added in row.extensions { try server.add(added) }
        server.receive(sampleRequest.with("Sec-WebSocket-Extensions: " + row.offer))
        server.start()
        #expect(server.takeText().header("Sec-WebSocket-Extensions") == row.response)
        #expect(server.state == .open)
    }

    @Test func `offers in several fields`() throws {
        let server = ServerEnd()
        try server.add(ManualExtension("b"))
        server.receive(sampleRequest.with("Sec-WebSocket-Extensions: a", "Sec-WebSocket-Extensions: b; x"))
        server.start()
        #expect(server.takeText().header("Sec-WebSocket-Extensions") == "b; x")
    }

    @Test(arguments: [true, false]) func `malformed offer`(registered: Bool) throws {
        let server = ServerEnd()
        if registered { try server.add(ManualExtension("a")) }
        server.receive(sampleRequest.with("Sec-WebSocket-Extensions: a; b="))
        let message = "Invalid Sec-WebSocket-Extensions header: a; b="
        #expect(server.handshakeViolation?.message == message)
        #expect(!server.start())
        let answer = server.takeText()
        #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(answer.hasSuffix("\r\n\r\n" + message))
        let events: [Event] = [
            .connect(target: "/chat"), .failed(.protocolError, message, status: 400), .closed(.protocolError, message),
        ]
        #expect(server.takeEvents() == events)
    }

    @Test func `the client's offers`() throws {
        let client = try ClientEnd()
        try client.add(ManualExtension("b", .rsv1, offers: [["x": .integer(1)], ["y": .flag]]))
        try client.add(ManualExtension("n", declines: true))
        try client.add(ManualExtension("a", .rsv1))
        client.start()
        #expect(client.takeText().hasSuffix("\r\nSec-WebSocket-Extensions: b; x=1, b; y, a\r\n\r\n"))
    }

    struct ClientRow: Sendable, CustomTestStringConvertible {
        let name: String
        let extensions: [ManualExtension]
        let response: String
        let message: String?
        var testDescription: String { name }
    }

    @Test(arguments: [
        ClientRow(name: "none", extensions: [ManualExtension("a")], response: "", message: nil),
        ClientRow(name: "one", extensions: [ManualExtension("a", .rsv1)], response: "a; z", message: nil),
        ClientRow(
            name: "server's order", extensions: [ManualExtension("a", .rsv1), ManualExtension("b", .rsv2)],
            response: "b, a", message: nil),
        ClientRow(
            name: "unknown", extensions: [ManualExtension("a")], response: "a, x; y=1",
            message: "Server sent an extension response for unknown extension \"x\""),
        ClientRow(
            name: "not offered", extensions: [ManualExtension("a", declines: true)], response: "a",
            message: "Server sent an extension response for unknown extension \"a\""),
        ClientRow(
            name: "RSV2 twice",
            extensions: [ManualExtension("a", .rsv2), ManualExtension("b", [.rsv1, .rsv2])], response: "b, a",
            message: "Server sent two extension responses that use the RSV2 bit: \"b\" and \"a\""),
        ClientRow(
            name: "the same twice", extensions: [ManualExtension("a", .rsv1)], response: "a, a",
            message: "Server sent two extension responses that use the RSV1 bit: \"a\" and \"a\""),
        ClientRow(
            name: "the same twice without bits", extensions: [ManualExtension("a")], response: "a, a; x",
            message: "Server sent unacceptable extension parameters: a; x"),
        ClientRow(
            name: "refused", extensions: [ManualExtension("a", refuses: true)], response: "a; x=1",
            message: "Server sent unacceptable extension parameters: a; x=1"),
        ClientRow(
            name: "malformed", extensions: [ManualExtension("a")], response: "a;",
            message: "Invalid Sec-WebSocket-Extensions header: a;"),
    ]) func client(row: ClientRow) throws {
        let client = try ClientEnd()
        for added in row.extensions { try client.add(added) }
        client.start()
        let server = ServerEnd()
        server.receive(client.takeText().without("Sec-WebSocket-Extensions"))
        server.start()
        client.receive(server.takeText().with("Sec-WebSocket-Extensions: " + row.response))
        if let message = row.message.map({ "Error during WebSocket handshake: " + $0 }) {
            #expect(client.takeEvents() == [.failed(.protocolError, message), .closed(.protocolError, message)])
        } else {
            #expect(client.takeEvents() == [.open])
        }
    }

    @Test func `the server's order is the client's`() throws {
        let (first, second) = (ManualExtension("a", .rsv1), ManualExtension("b", .rsv2))
        let client = try ClientEnd()
        try client.add(first)
        try client.add(second)
        client.start()
        let server = ServerEnd()
        server.receive(client.takeText().without("Sec-WebSocket-Extensions"))
        server.start()
        client.receive(server.takeText().with("Sec-WebSocket-Extensions: b, a"))
        _ = client.takeEvents()
        #expect(client.send("x"))
        #expect(BitFrame.parseAll(client.takeOutput()) == [BitFrame([.rsv1, .rsv2], 1, Array("xba".utf8))])
        var frame = WireFrame.text("x").unmasked
        frame.reservedBits = 0x20
        client.receive(frame.bytes)
        #expect(client.takeEvents() == [.text("xab")])
        #expect(second.session.calls.last?.bits == .rsv2)
    }
}
