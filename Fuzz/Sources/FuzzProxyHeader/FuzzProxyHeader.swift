import BrokerCore
import FuzzSupport

@main
enum FuzzProxyHeader {
    static func main() { runFuzzer { fuzzProxyHeader($0, $1) } }
}

/// PROXY headers, and the fields in which proxies say for whom they speak.
///
/// Choices: a byte whose first bit says which of both. What is read does not depend on how it was cut: nothing is taken or
/// refused that more bytes would change.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzProxyHeader(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let flags = input.flags()
    let bytes = input.rest()
    if flags[0] { trace(String(decoding: bytes, as: UTF8.self), flags[1]) } else { read(bytes) }
    return 0
}

private func read(_ bytes: [UInt8]) {
    let maximum = 256
    let whole = withExactCopy(bytes) { ProxyHeader.read($0.bytes, maximumBytes: maximum) }
    if case .complete(_, let byteCount) = whole {
        require(1...maximum ~= byteCount && byteCount <= bytes.count, "a head has a length")
    }
    if case .incomplete = whole { require(bytes.count < maximum, "a head has an end") }
    var isDecided = false
    for count in 0..<bytes.count where !isDecided {
        let part = withExactCopy(bytes.prefix(count)) { ProxyHeader.read($0.bytes, maximumBytes: maximum) }
        switch part {
        case .incomplete: break
        case .complete:
            require(part == whole, "more bytes change nothing")
            isDecided = true
        case .malformed:
            if case .malformed = whole { isDecided = true } else { require(false, "what is refused stays refused") }
        }
    }
}

private func trace(_ text: String, _ isStandard: Bool) {
    var trust = ProxyTrust()
    trust.header = isStandard ? .forwarded : .xForwardedFor
    trust.ranges = ["10.0.0.0/8", "2001:db8::/32"].compactMap { AddressRange($0) }
    let proxy = IPAddress("10.0.0.1")
    let fields = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard let client = trust.client(behind: proxy, fields) else { return require(false, "somebody is the client") }
    require(IPAddress(client.description) == client, "an address can be written and read")
    // Whatever a client sends in front of what the proxies add changes nothing.
    if !trust.trusts(client) {
        require(trust.client(behind: proxy, ["203.0.113.99"] + fields) == client, "what a client sends is passed over")
    }
}
