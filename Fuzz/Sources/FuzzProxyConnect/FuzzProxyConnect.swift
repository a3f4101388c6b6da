import Driver
import FuzzSupport

@main
enum FuzzProxyConnect {
    static func main() { runFuzzer { fuzzProxyConnect($0, $1) } }
}

/// What a proxy answers to a client that asks for a tunnel.
///
/// Choices: flags (a small head, few fields, the end comes early). Whatever comes, it ends in a tunnel, a refusal, or waiting
/// that the deadline ends; and however it is cut, the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzProxyConnect(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let flags = input.flags()
    let stream = input.rest()
    let results = Split.allCases.map { run(stream, flags, $0) }
    for result in results { require(result == results[0], "one chunk is as good as many: \(results)") }
    return 0
}

private enum Result: Equatable {
    case tunnel(surplus: [UInt8], status: Int?)
    case failed(String, status: Int?)
}

private func run(_ stream: [UInt8], _ flags: Flags, _ split: Split) -> Result {
    var options = DriverOptions()
    if flags[0] { options.maximumHeadBytes = 128 }
    if flags[1] { options.maximumHeaderCount = 3 }
    guard let url = try? WebSocketURL("ws://a.example/"), let proxy = try? ProxyURL("http://u:p@proxy.example:3128")
    else {
        fatalError("Cannot run when the URLs are not read")
    }
    var connect = ProxyConnect(to: url, through: proxy, options: options, now: 0)
    require(connect.start().starts(with: "CONNECT a.example:80 HTTP/1.1\r\n".utf8), "the request goes first")
    var surplus: [UInt8]?
    var failure: String?
    split.forEachChunk(of: stream) { chunk in
        if surplus != nil {
            surplus? += chunk
        } else if failure == nil {
            switch connect.receive(chunk.bytes) {
            case .pending: break
            case .connected(let rest): surplus = rest
            case .failed(let reason): failure = reason.reason
            }
        }
    }
    if let surplus { return .tunnel(surplus: surplus, status: connect.status) }
    if failure == nil {
        let last = flags[2] ? connect.receiveEnd() : connect.advance(to: .max)
        guard case .failed(let reason) = last else { fatalError("waiting has no end") }
        failure = reason.reason
    }
    require(connect.nextDeadline == nil, "what is over has no deadline")
    return .failed(failure ?? "", status: connect.status)
}
