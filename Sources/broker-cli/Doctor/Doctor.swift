import ArgumentParser
import BrokerCore
import Driver
import FanfareClient
import Foundation

/// Tries everything that has to work between here and a broker, and prints what does.
struct Doctor {
    /// What a step has found.
    enum Finding {
        case fine(String)
        /// It works, but not for long or not quite; and what to do.
        case warning(String, remedy: String)
        case failed(CLIError, remedy: String)
        /// There is nothing to try.
        case skipped(String)
    }

    let configuration: ClientConfiguration
    let origin: String?
    let printsJSON: Bool
    private var failure: CLIError?

    init(configuration: ClientConfiguration, origin: String?, printsJSON: Bool) {
        self.configuration = configuration
        self.origin = origin
        self.printsJSON = printsJSON
    }

    /// Throws the first failure when all was tried that makes sense.
    mutating func examine() async throws {
        let configuration = configuration
        let proxy = configuration.proxies.proxy(for: configuration.endpoint)
        try print("endpoint", .fine("\(configuration.endpoint)"), nil)
        try print("proxy", proxy.map { .fine("through \($0.host):\($0.port)") } ?? .skipped("none on the way"), nil)
        let probe = TransportProbe(configuration: configuration)
        var http: HTTPConnection
        do {
            http = try HTTPConnection(configuration)
        } catch {
            try await step("reach") { throw error }
            throw failure ?? error
        }
        var answer: HTTPConnection.Answer?
        try await step("reach") {
            answer = try await http.send("GET", "/health/ready", timeout: .seconds(10))
            return .fine("something answers")
        }
        guard let answer else { throw failure ?? .unreachable("nothing answers") }
        let certificate = await http.certificate()
        try await step("tls") { Self.judge(certificate, isSecure: configuration.endpoint.isSecure) }
        try await step("broker") { try Self.judge(answer) }
        try await step("clock") { Self.judge(clock: answer.header("Date")) }
        let origin = origin ?? configuration.endpoint.origin
        try await step("origin") { try await probe.origin(origin) }
        try await step("publish") { try await probe.publish() }
        try await step("websocket") { try await probe.webSocket() }
        try await step("long-polling") { try await probe.longPolling() }
        try await step("eventsource") { try await probe.eventSource() }
        try await step("json-p") { try await probe.callbackPolling() }
        await http.close()
        if let failure { throw failure }
    }

    private mutating func step(_ name: String, _ work: () async throws -> Finding) async throws {
        let start = ContinuousClock.now
        var finding: Finding
        do {
            finding = try await work()
        } catch let error as ClientError {
            let told = CLIError(error, name, endpoint: configuration.endpoint)
            finding = .failed(told, remedy: Remedy.of(told, configuration))
        } catch let error as CLIError {
            finding = .failed(error, remedy: Remedy.of(error, configuration))
        }
        if case .failed(let error, _) = finding { failure = failure ?? error.told(of: name) }
        try print(name, finding, ContinuousClock.now - start)
    }

    private func print(_ name: String, _ finding: Finding, _ time: Duration?) throws {
        let (word, text, remedy): (String, String, String?) =
            switch finding {
            case .fine(let text): ("ok", text, nil)
            case .warning(let text, let remedy): ("warning", text, remedy)
            case .failed(let error, let remedy): ("failed", error.description, remedy)
            case .skipped(let text): ("-", text, nil)
            }
        if printsJSON {
            var members = [("step", name), ("result", word == "-" ? "skipped" : word), ("text", text)]
            if let remedy { members.append(("remedy", remedy)) }
            var line: [UInt8] = []
            for (key, value) in members {
                line += (line.isEmpty ? "{\"\(key)\":" : ",\"\(key)\":").utf8
                line.append(jsonString: value)
            }
            if let time { line += ",\"ms\":\(Int(time / .milliseconds(1)))".utf8 }
            return try Console.write(line + Array("}\n".utf8))
        }
        let colour = Console.outputIsColoured ? ["ok": "32", "warning": "33", "failed": "31"][word] : nil
        let label = name.padding(toLength: 14, withPad: " ", startingAt: 0)
        let shown = word.padding(toLength: 9, withPad: " ", startingAt: 0)
        let coloured = colour.map { "\u{1B}[\($0)m\(shown)\u{1B}[0m" } ?? shown
        let milliseconds =
            time.map { word == "ok" && $0 > .milliseconds(20) ? " (\(Int($0 / .milliseconds(1))) ms)" : "" } ?? ""
        var lines = "\(label)\(coloured)\(text)\(milliseconds)\n"
        if let remedy, !remedy.isEmpty { lines += String(repeating: " ", count: 23) + "-> \(remedy)\n" }
        try Console.write(Array(lines.utf8))
    }

    private static func judge(_ answer: HTTPConnection.Answer) throws -> Finding {
        switch answer.status {
        case 200: return .fine("it is ready")
        case 404:
            return .warning(
                "/health/ready is not there", remedy: "a proxy in front of the broker has to let that path through, too"
            )
        default: throw CLIError(answer, "it is not ready")
        }
    }

    private static func judge(_ certificate: HTTPConnection.Certificate?, isSecure: Bool) -> Finding {
        guard isSecure else { return .skipped("the endpoint is not https or wss") }
        guard let certificate else { return .fine("trusted") }
        let end = Date(timeIntervalSince1970: Double(certificate.notAfter))
        let days = Int(end.timeIntervalSinceNow / 86_400)
        let text = "trusted; the certificate is valid until \(end.formatted(.iso8601.year().month().day()))"
        return days < 14
            ? .warning("\(text), \(days) days more", remedy: "renew it; broker-server reads a new one by itself")
            : .fine(text)
    }

    /// Within which the two clocks may differ.
    private static let clockTolerance = 5.0

    private static func judge(clock text: String?) -> Finding {
        guard let text else { return .skipped("no Date in the answer") }
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        guard let date = formatter.date(from: text) else { return .skipped("the Date is none: \(text)") }
        let skew = date.timeIntervalSinceNow
        guard abs(skew) > clockTolerance else { return .fine("as here") }
        let size = Int(abs(skew).rounded())
        return .warning(
            "the broker's clock is \(size) s \(skew > 0 ? "ahead of" : "behind") this one",
            remedy: "let both machines take their time from NTP: tokens that expire, and --ttl, depend on it")
    }
}

/// What to do about an error.
enum Remedy {
    static func of(_ error: CLIError, _ configuration: ClientConfiguration) -> String {
        let text = error.description
        if text.contains("the certificate is from no authority") {
            return "name the authority of the certificate with --ca FILE, or look at its dates"
        }
        if text.contains("the certificate does not name") { return "correct the host in --url, or the certificate" }
        if text.contains("TLS") { return "does the broker listen for TLS there? see tls: in its configuration" }
        if text.contains("the proxy") { return "check --proxy or http_proxy, and the name and password in it" }
        if text.contains("No such file") {
            return "start broker-server with --listen and this unix: path, or correct it"
        }
        if text.contains("Connection refused") { return "start broker-server, or correct the host and port in --url" }
        if text.contains("is not known") { return "correct the host in --url, or the name service of this machine" }
        if text.contains("no answer in time") || text.contains("in time") {
            return "a firewall may drop the connection, or a proxy hold the answer back"
        }
        if text.contains("Origin") { return "start the broker with --allow-origin and this origin" }
        if error.status == .init(77) { return "give a token that allows it: --token-file FILE" }
        if text.contains("404") { return "correct the path in --url; the broker's own is /bayeux" }
        return ""
    }
}

extension CLIError {
    /// The same, for the last line.
    fileprivate func told(of step: String) -> CLIError { prefixed("\(step) failed: ") }
}
