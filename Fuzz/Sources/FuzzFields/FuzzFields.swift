import FuzzSupport

@testable import FrontParsers

@main
enum FuzzFields {
    static func main() { runFuzzer { fuzzFields($0, $1) } }
}

/// The header fields that say which page asks, and at what name, and the dates of files.
///
/// Choices: a byte whose first bit says whether there are a page and a `Host`, a line each, or a date; the second whether
/// the page is in `Referer`, else it is in `Origin`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzFields(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let flags = input.flags()
    let text = input.rest()
    guard !flags[0] else {
        readDate(String(decoding: text, as: UTF8.self))
        return 0
    }
    let lines = text.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        .map { String(decoding: $0, as: UTF8.self) }
    ask(lines[0], isReferer: flags[1], host: lines.count > 1 ? lines[1] : nil)
    return 0
}

private let policy = OriginPolicy(allowed: ["https://app.example"], allowsLoopback: true)

private func ask(_ page: String, isReferer: Bool, host: String?) {
    func isLetIn(_ page: String, _ host: String?) -> Bool {
        isReferer
            ? policy.allowsScript(of: page, fetchSite: "cross-site", host: host)
            : policy.allows(origin: page, host: host)
    }
    if let host, isLetIn(page, host), !isLetIn(page, nil) {
        let name = HostName.host(of: host.lowercased())
        require(page.lowercased().contains(name), "a page is let in for the name that it has")
    }
    if isLetIn(page, nil), !page.dropFirst("https://".count).contains(where: "/?#".contains) {
        require(!isLetIn(page + ".evil.example", nil), "the end of a name counts")
    }
}

private func readDate(_ text: String) {
    if FileDate(at: 253_402_300_799_000).isKnown(since: text) {
        require(FileDate(at: 0).isKnown(since: text), "what knows new files knows old ones")
    }
    let wall = Int64(text.utf8.reduce(0 as UInt32) { $0 &* 31 &+ UInt32($1) }) * 1000
    var date = HTTPDate()
    require(FileDate(at: wall).isKnown(since: date.text(at: wall)), "what is written can be read")
}
