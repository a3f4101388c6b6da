import Driver
import Testing

@Suite struct DeflateNegotiationTests {
    typealias Options = PermessageDeflate.Options

    struct ServerRow: Sendable, CustomTestStringConvertible {
        let offer: String
        let response: String?
        var options = Options()
        var testDescription: String { offer }

        init(_ offer: String, _ response: String?, _ change: (inout Options) -> Void = { _ in }) {
            self.offer = offer
            self.response = response
            change(&options)
        }
    }

    static func all(_ options: inout Options) {
        options.noContextTakeover = true
        options.maxWindowBits = 11
        options.requestNoContextTakeover = true
        options.requestMaxWindowBits = 10
    }

    static let name = "permessage-deflate"

    @Test(arguments: [
        ServerRow(name, name),
        ServerRow("\(name); client_max_window_bits", name),
        ServerRow("\(name); server_no_context_takeover", "\(name); server_no_context_takeover"),
        ServerRow("\(name); client_no_context_takeover", "\(name); client_no_context_takeover"),
        ServerRow("\(name); server_max_window_bits=10", "\(name); server_max_window_bits=10"),
        ServerRow("\(name); server_max_window_bits=\"10\"", "\(name); server_max_window_bits=10"),
        ServerRow("\(name); server_max_window_bits=15", "\(name); server_max_window_bits=15"),
        ServerRow("\(name); client_max_window_bits=12", "\(name); client_max_window_bits=12"),
        ServerRow("\(name); client_max_window_bits=8", "\(name); client_max_window_bits=8"),
        ServerRow("\(name); client_max_window_bits=15", name),
        ServerRow(
            "\(name); server_max_window_bits=10; client_max_window_bits=12",
            "\(name); server_max_window_bits=10; client_max_window_bits=12"),
        ServerRow(name, name) { $0.maxWindowBits = 11 },
        ServerRow(name, name) { $0.requestMaxWindowBits = 10 },
        ServerRow(name, "\(name); server_no_context_takeover; client_no_context_takeover", all),
        ServerRow(
            "\(name); client_max_window_bits",
            "\(name); server_no_context_takeover; client_no_context_takeover; client_max_window_bits=10", all),
        ServerRow(
            "\(name); server_max_window_bits=13; client_max_window_bits=9",
            "\(name); server_no_context_takeover; client_no_context_takeover; server_max_window_bits=11; "
                + "client_max_window_bits=9", all),
        // What zlib cannot do, and what is invalid: the next offer is tried.
        ServerRow("\(name); server_max_window_bits=8", nil),
        ServerRow(
            "\(name); server_max_window_bits=8, \(name); client_no_context_takeover",
            "\(name); client_no_context_takeover"),
        ServerRow("\(name); x", nil),
        ServerRow("\(name); x, \(name)", name),
        ServerRow("\(name); server_no_context_takeover=1", nil),
        ServerRow("\(name); client_no_context_takeover=true", nil),
        ServerRow("\(name); server_no_context_takeover; server_no_context_takeover", nil),
        ServerRow("\(name); server_max_window_bits", nil),
        ServerRow("\(name); server_max_window_bits=7", nil),
        ServerRow("\(name); server_max_window_bits=16", nil),
        ServerRow("\(name); server_max_window_bits=010", nil),
        ServerRow("\(name); server_max_window_bits=10.0", nil),
        ServerRow("\(name); server_max_window_bits=10; server_max_window_bits=10", nil),
        ServerRow("\(name); client_max_window_bits=7", nil),
        ServerRow("\(name); client_max_window_bits=16", nil),
        ServerRow("\(name); client_max_window_bits=x", nil),
        ServerRow("permessage-bzip2", nil),
    ]) func server(row: ServerRow) throws {
        let server = ServerEnd()
        try server.add(PermessageDeflate(row.options))
        server.receive(sampleRequest.with("Sec-WebSocket-Extensions: " + row.offer))
        server.start()
        #expect(server.takeText().header("Sec-WebSocket-Extensions") == row.response)
        #expect(server.state == .open)
    }

    struct OfferRow: Sendable, CustomTestStringConvertible {
        let offer: String
        var options = Options()
        var testDescription: String { offer }

        init(_ offer: String, _ change: (inout Options) -> Void = { _ in }) {
            self.offer = offer
            change(&options)
        }
    }

    @Test(arguments: [
        OfferRow("\(name); client_max_window_bits"),
        OfferRow("\(name); client_max_window_bits=11") { $0.maxWindowBits = 11 },
        OfferRow("\(name); client_no_context_takeover; client_max_window_bits") { $0.noContextTakeover = true },
        OfferRow("\(name); server_no_context_takeover; client_max_window_bits") { $0.requestNoContextTakeover = true },
        OfferRow("\(name); server_max_window_bits=8; client_max_window_bits") { $0.requestMaxWindowBits = 8 },
        OfferRow(
            "\(name); server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; "
                + "client_max_window_bits=11", all),
    ]) func offer(row: OfferRow) throws {
        let client = try ClientEnd()
        try client.add(PermessageDeflate(row.options))
        client.start()
        #expect(client.takeText().header("Sec-WebSocket-Extensions") == row.offer)
    }

    struct ResponseRow: Sendable, CustomTestStringConvertible {
        let response: String
        let isAccepted: Bool
        var options = Options()
        var testDescription: String { response }

        init(_ response: String, _ isAccepted: Bool, _ change: (inout Options) -> Void = { _ in }) {
            self.response = response
            self.isAccepted = isAccepted
            change(&options)
        }
    }

    @Test(arguments: [
        ResponseRow(name, true),
        ResponseRow("\(name); server_no_context_takeover; client_no_context_takeover", true),
        ResponseRow("\(name); server_max_window_bits=8", true),
        ResponseRow("\(name); client_max_window_bits=9", true),
        // zlib cannot deflate with it.
        ResponseRow("\(name); client_max_window_bits=8", false),
        ResponseRow("\(name); client_max_window_bits", false),
        ResponseRow("\(name); x=1", false),
        ResponseRow("\(name); client_max_window_bits=11", true) { $0.maxWindowBits = 11 },
        ResponseRow("\(name); client_max_window_bits=12", false) { $0.maxWindowBits = 11 },
        ResponseRow(name, false) { $0.requestNoContextTakeover = true },
        ResponseRow("\(name); server_no_context_takeover", true) { $0.requestNoContextTakeover = true },
        ResponseRow(name, false) { $0.requestMaxWindowBits = 10 },
        ResponseRow(name, true) { $0.requestMaxWindowBits = 15 },
        ResponseRow("\(name); server_max_window_bits=11", false) { $0.requestMaxWindowBits = 10 },
        ResponseRow("\(name); server_max_window_bits=10", true) { $0.requestMaxWindowBits = 10 },
        ResponseRow("\(name); server_max_window_bits=9", true) { $0.requestMaxWindowBits = 10 },
    ]) func response(row: ResponseRow) throws {
        let client = try ClientEnd()
        try client.add(PermessageDeflate(row.options))
        client.start()
        let server = ServerEnd()
        server.receive(client.takeText().without("Sec-WebSocket-Extensions"))
        server.start()
        client.receive(server.takeText().with("Sec-WebSocket-Extensions: " + row.response))
        let message =
            "Error during WebSocket handshake: Server sent unacceptable extension parameters: " + row.response
        #expect(
            client.takeEvents()
                == (row.isAccepted ? [.open] : [.failed(.protocolError, message), .closed(.protocolError, message)]))
    }

    @Test func `options by name`() throws {
        let made = try PermessageDeflate().configured([
            "level": .integer(9), "memLevel": .integer(4), "strategy": .integer(1), "noContextTakeover": .flag,
            "maxWindowBits": .integer(10), "requestNoContextTakeover": .integer(1),
            "requestMaxWindowBits": .integer(8), "minimumBytes": .integer(1024),
        ])
        var options = Options()
        options.level = 9
        options.memoryLevel = 4
        options.strategy = 1
        options.noContextTakeover = true
        options.maxWindowBits = 10
        options.requestNoContextTakeover = true
        options.requestMaxWindowBits = 8
        options.minimumBytes = 1024
        #expect(made.options == options)
        // The later one wins.
        #expect(try made.configured(["level": .integer(1), "noContextTakeover": .integer(0)]).options.level == 1)
    }

    struct BadOption: Sendable, CustomTestStringConvertible {
        let name: String
        let value: ExtensionValue
        let message: String
        var testDescription: String { "\(name) \(value)" }
    }

    @Test(arguments: [
        BadOption(name: "levle", value: .integer(1), message: "Unrecognized option: levle"),
        BadOption(name: "level", value: .integer(10), message: "Invalid value for option: level"),
        BadOption(name: "level", value: .text("x"), message: "Invalid value for option: level"),
        BadOption(name: "memLevel", value: .integer(0), message: "Invalid value for option: memLevel"),
        BadOption(name: "strategy", value: .integer(5), message: "Invalid value for option: strategy"),
        BadOption(name: "maxWindowBits", value: .integer(8), message: "Invalid value for option: maxWindowBits"),
        BadOption(name: "maxWindowBits", value: .integer(16), message: "Invalid value for option: maxWindowBits"),
        BadOption(
            name: "requestMaxWindowBits", value: .integer(7), message: "Invalid value for option: requestMaxWindowBits"),
        BadOption(
            name: "noContextTakeover", value: .integer(2), message: "Invalid value for option: noContextTakeover"),
        BadOption(name: "minimumBytes", value: .integer(-1), message: "Invalid value for option: minimumBytes"),
    ]) func `bad options`(row: BadOption) {
        let error = #expect(throws: PermessageDeflate.InvalidOption.self) {
            try PermessageDeflate().configured([row.name: row.value])
        }
        #expect(error?.description == row.message)
    }
}
