import BrokerCore
import FanfareClient
import Foundation

/// Tries each way in, with a channel of its own.
struct TransportProbe {
    let configuration: ClientConfiguration
    private let channel = "/fanfare/doctor/\(UUID().uuidString.lowercased())"
    private static let patience = Duration.seconds(10)

    init(configuration: ClientConfiguration) { self.configuration = configuration }

    /// A page's request, as a browser would announce it.
    func origin(_ origin: String) async throws -> Doctor.Finding {
        try await overHTTP { http in
            let answer = try await http.send(
                "OPTIONS", endpointPath,
                headers: [
                    ("Origin", origin), ("Access-Control-Request-Method", "POST"),
                    ("Access-Control-Request-Headers", "content-type"),
                ], timeout: Self.patience)
            guard answer.header("Access-Control-Allow-Origin") == origin else {
                return .warning(
                    "pages of \(origin) are not let in", remedy: "start the broker with --allow-origin \(origin)")
            }
            return .fine("pages of \(origin) are let in")
        }
    }

    /// A publication over plain HTTP.
    func publish() async throws -> Doctor.Finding {
        try await overHTTP { http in
            let answer = try await http.send(
                "POST", HTTPConnection.path(of: channel), headers: [("Content-Type", "application/json")],
                body: Array("0".utf8), timeout: Self.patience)
            guard answer.status == 200 else { throw CLIError(answer, "POST /channels/…") }
            return .fine("POST /channels/… is taken")
        }
    }

    /// A message over a WebSocket, there and back.
    func webSocket() async throws -> Doctor.Finding {
        let client = try BayeuxClient(configuration)
        let timer = Task {
            try await Task.sleep(for: Self.patience)
            await client.abandon()
        }
        defer { timer.cancel() }
        do {
            try await client.connect()
            let messages = try await client.subscribe(to: channel)
            try await client.publish("0", to: channel)
            guard try await messages.nextBatch() != nil else {
                throw CLIError.timeout("a message that was published has not come in time")
            }
        } catch let error as ClientError where error.kind == .closed {
            throw CLIError.timeout("the WebSocket has not opened in time")
        } catch {
            await client.close()
            throw error
        }
        await client.close()
        return .fine("a message was published and came")
    }

    /// A session, and a message, with one request after the other.
    func longPolling() async throws -> Doctor.Finding {
        try await overHTTP { http in
            let clientID = try await handshake("long-polling") { try await post($0, over: http) }
            func holdsMessage(_ replies: [UInt8]) -> Bool {
                JSONText(replies).elements.contains { JSONText($0).raw("data") != nil }
            }
            let connect = #"{"channel":"/meta/connect","clientId":"\#(clientID)","connectionType":"long-polling"}"#
            var came = holdsMessage(
                try await post(
                    #"[{"channel":"/meta/subscribe","clientId":"\#(clientID)","subscription":"\#(channel)"},\#(connect)]"#,
                    over: http))
            _ = try await post(#"[{"channel":"\#(channel)","clientId":"\#(clientID)","data":0}]"#, over: http)
            // The first connect may have been answered at once; the message waits for the next one.
            if !came { came = holdsMessage(try await post("[\(connect)]", over: http)) }
            guard came else { throw CLIError.timeout("a message that was published has not come") }
            _ = try await post(#"[{"channel":"/meta/disconnect","clientId":"\#(clientID)"}]"#, over: http)
            return .fine("a message was published and came")
        }
    }

    /// The same, as a page without CORS does it.
    func callbackPolling() async throws -> Doctor.Finding {
        try await overHTTP { http in
            _ = try await handshake("callback-polling") { message in
                var allowed = CharacterSet.alphanumerics
                allowed.insert(charactersIn: "-._~")
                let query = message.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
                let path = "\(endpointPath)?message=\(query)&jsonp=doctor"
                // As a page of the broker's own host: who does not say where it comes from is refused.
                let answer = try await http.send(
                    "GET", path, headers: [("Sec-Fetch-Site", "same-origin")], timeout: Self.patience)
                guard answer.status == 200 else { throw CLIError(answer, "GET \(endpointPath)?jsonp=…") }
                let text = String(decoding: answer.body, as: UTF8.self)
                guard let start = text.firstIndex(of: "["), let end = text.lastIndex(of: "]"), start < end,
                    text.contains("doctor(")
                else { throw CLIError.data("what was answered is no script: \(text.prefix(80))") }
                return Array(text[start...end].utf8)
            }
            return .fine("a session began")
        }
    }

    /// The beginning of an event stream: what holds responses back would hold it for ever.
    func eventSource() async throws -> Doctor.Finding {
        let http = try HTTPConnection(configuration)
        let answer = try await http.send(
            "GET", HTTPConnection.path(of: channel), headers: [("Accept", "text/event-stream")], readsToEnd: false,
            timeout: Self.patience)
        guard answer.status == 200 else { throw CLIError(answer, "GET /channels/…") }
        guard answer.header("Content-Type")?.hasPrefix("text/event-stream") == true else {
            throw CLIError.data(
                "what was answered is no event stream but \(answer.header("Content-Type") ?? "nothing")")
        }
        return .fine("a stream began")
    }

    private func overHTTP<Result>(_ work: (HTTPConnection) async throws -> Result) async throws -> Result {
        let http = try HTTPConnection(configuration)
        do {
            let result = try await work(http)
            await http.close()
            return result
        } catch {
            await http.close()
            throw error
        }
    }

    private func handshake(_ kind: String, _ send: (String) async throws -> [UInt8]) async throws -> String {
        let reply = try await send(
            #"[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["\#(kind)"]}]"#)
        let first = JSONText(JSONText(reply).elements.first ?? [])
        guard first.isTrue("successful"), let clientID = first.member("clientId") else {
            throw CLIError.refused("the handshake", error: first.member("error") ?? "no reason")
        }
        return clientID
    }

    private func post(_ message: String, over http: HTTPConnection) async throws -> [UInt8] {
        let answer = try await http.send(
            "POST", endpointPath, headers: [("Content-Type", "application/json")], body: Array(message.utf8),
            timeout: Self.patience)
        guard answer.status == 200 else { throw CLIError(answer, "POST \(endpointPath)") }
        return answer.body
    }

    /// The last part of the endpoint's path, beside which the rest lies.
    private var endpointPath: String {
        let path = configuration.endpoint.target.prefix { $0 != "?" }
        return path.lastIndex(of: "/").map { String(path[$0...]) } ?? "/"
    }
}
