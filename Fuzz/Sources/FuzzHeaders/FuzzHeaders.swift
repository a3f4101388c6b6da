import Driver
import FuzzSupport

@testable import FrontParsers

@main
enum FuzzHeaders {
    static func main() { runFuzzer { fuzzHeaders($0, $1) } }
}

/// What others say, in the heads that are written: nothing of it ends a line, adds a field, or ends the head.
///
/// Choices: a byte for what is written (the low three bits), whether it is with permessage-deflate, and whether the
/// transport is TLS. Then texts, each up to a byte FF; the last two of a head are a field that its owner adds.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHeaders(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let flags = input.flags()
    let texts = Texts(input.rest())
    switch flags.rawValue & 7 {
    case 0: answer(hybiFields, texts, flags)
    case 1: answer(hixie76Fields, texts, flags)
    case 2: answer([], texts, flags)
    case 3: refuse(texts)
    case 4: ask(texts, flags)
    case 5: askProxy(texts)
    default: letIn(texts)
    }
    return 0
}

/// The texts of an input; one that is not there is empty.
private struct Texts {
    private let texts: [String]

    init(_ bytes: [UInt8]) {
        texts = bytes.split(separator: 0xFF, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    subscript(index: Int) -> String { index < texts.count ? texts[index] : "" }
}

private let hybiFields = [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13")]

/// The keys of draft-hixie-76 §1.2.
private let hixie76Fields = [
    ("Sec-WebSocket-Key1", "4 @1  46546xW%0l 1 5"), ("Sec-WebSocket-Key2", "12998 5 Y3 1  .P00"),
]

/// A server's answer to a request that an HTTP stack has read which lets everything pass. The subprotocol that the client
/// offers is one that is served.
private func answer(_ fields: [(String, String)], _ texts: Texts, _ flags: Flags) {
    var headers = HeaderFields([("Upgrade", "websocket"), ("Connection", "Upgrade")] + fields)
    let names = [
        "Host", "Origin", "Sec-WebSocket-Protocol", "WebSocket-Protocol", "Sec-WebSocket-Extensions",
        "X-Forwarded-Proto",
    ]
    for (index, name) in names.enumerated() where !texts[index + 1].isEmpty { headers.append(name, texts[index + 1]) }
    var options = DriverOptions(subprotocols: [texts[3], texts[4]])
    options.isSecure = flags[4]
    var driver = ServerDriver(request: RequestHead(target: texts[0], headers: headers), options: options)
    if flags[3] { try? driver.addExtension(PermessageDeflate()) }
    let added = driver.setHeader(texts[7], texts[8]) ? texts[7] : nil
    var recorder = Recorder(maximumMessageBytes: 0)
    let isAccepted = driver.start(into: &recorder)
    let head = Head(driver.takeOutput())
    head.check(start: "HTTP/1.1 ", names: isAccepted ? acceptances : refusals, added: added)
    let length = isAccepted ? "0" : head.value(of: "content-length")
    require(length == "\(head.rest.count)", "behind a head is what it announces")
}

private let acceptances: Set = [
    "upgrade", "connection", "sec-websocket-accept", "sec-websocket-protocol", "sec-websocket-extensions",
    "sec-websocket-origin", "sec-websocket-location", "websocket-origin", "websocket-location", "websocket-protocol",
]
private let refusals: Set = [
    "upgrade", "connection", "content-type", "content-length", "allow", "sec-websocket-version",
]

/// A server's refusal, whose reason may repeat what the client has said.
private func refuse(_ texts: Texts) {
    let request = RequestHead(target: "/", headers: HeaderFields())
    var driver = ServerDriver(request: request)
    let added = driver.setHeader(texts[2], texts[3]) ? texts[2] : nil
    var recorder = Recorder(maximumMessageBytes: 0)
    driver.refuse(status: Int(texts[0]) ?? 426, reason: texts[1], into: &recorder)
    let head = Head(driver.takeOutput())
    head.check(start: "HTTP/1.1 ", names: refusals, added: added)
    require(head.rest.elementsEqual(texts[1].utf8), "behind a head is the reason")
}

/// A client's request.
private func ask(_ texts: Texts, _ flags: Flags) {
    guard let url = try? WebSocketURL(texts[0]) else { return }
    let options = DriverOptions(subprotocols: texts[1].isEmpty ? [] : [texts[1]])
    var driver = ClientDriver(url: url, options: options, generator: SplitMix(seed: 1))
    if flags[3] { try? driver.addExtension(PermessageDeflate()) }
    let added = driver.setHeader(texts[2], texts[3]) ? texts[2] : nil
    guard driver.start() else { return }
    let head = Head(driver.takeOutput())
    head.check(
        start: "GET ",
        names: [
            "host", "upgrade", "connection", "authorization", "sec-websocket-key", "sec-websocket-version",
            "sec-websocket-protocol", "sec-websocket-extensions",
        ], added: added)
    require(head.firstLine.split(separator: " ").count == 3, "a target has no blanks")
    require(head.rest.isEmpty, "behind a request is nothing")
}

/// A client's request to a proxy.
private func askProxy(_ texts: Texts) {
    guard let url = try? WebSocketURL(texts[0]), let proxy = try? ProxyURL(texts[1]) else { return }
    var connect = ProxyConnect(to: url, through: proxy)
    let added = connect.setHeader(texts[2], texts[3]) ? texts[2] : nil
    let head = Head(connect.start())
    head.check(
        start: "CONNECT ", names: ["host", "connection", "proxy-connection", "proxy-authorization"], added: added)
    require(head.firstLine.split(separator: " ").count == 3, "a target has no blanks")
    require(head.rest.isEmpty, "behind a request is nothing")
}

/// The origin of a page that is let in, which the answer repeats.
private func letIn(_ texts: Texts) {
    for policy in policies where policy.allows(origin: texts[0], host: texts[1]) {
        require(texts[0].utf8.allSatisfy { 0x21...0x7E ~= $0 }, "an origin can stand in a head")
    }
}

private let policies = [
    OriginPolicy(allowed: ["*"], allowsLoopback: false),
    OriginPolicy(allowed: ["https://app.example"], allowsLoopback: true),
]

/// A head that was written, taken apart without our own parser.
private struct Head {
    let firstLine: String
    private let fields: [(name: String, value: String)]
    /// What is behind the empty line.
    let rest: ArraySlice<UInt8>

    init(_ output: [UInt8]) {
        guard let end = output.firstRange(of: Array("\r\n\r\n".utf8)) else { fatalError("A head has no end") }
        let lines = output[..<end.lowerBound].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let texts = lines.enumerated().map { index, line in
            let isLast = index == lines.count - 1
            require(isLast || line.last == UInt8(ascii: "\r"), "a line ends with CR LF")
            let text = isLast ? line : line.dropLast()
            require(text.allSatisfy { 0x20...0x7E ~= $0 }, "a line has no control characters")
            return String(decoding: text, as: UTF8.self)
        }
        firstLine = texts[0]
        fields = texts.dropFirst().map { line in
            guard let colon = line.firstRange(of: ": ") else { fatalError("A line is no field: \(line)") }
            return (line[..<colon.lowerBound].lowercased(), String(line[colon.upperBound...]))
        }
        rest = output[end.upperBound...]
    }

    func value(of name: String) -> String? { fields.first { $0.name == name }?.value }

    /// Each field is one of `names` and there once, but for the one that the owner has added.
    func check(start: String, names: Set<String>, added: String?) {
        require(firstLine.hasPrefix(start), "a head begins as ever")
        var counts: [String: Int] = [:]
        for field in fields { counts[field.name, default: 0] += 1 }
        if let added { counts[added.lowercased(), default: 0] -= 1 }
        for (name, count) in counts where count != 0 {
            require(names.contains(name) && count <= 1, "\(name) was not to be written, or not twice")
        }
    }
}
