import FuzzSupport

@main
enum FuzzReplies {
    static func main() { runFuzzer { fuzzReplies($0, $1) } }
}

/// What a broker sends to a client's session, whatever is in it and whenever it comes: the session is always under way
/// or over, what it says is Bayeux of its session, and nobody waits in vain.
///
/// Choices: flags (tokens from a source, acknowledgements, a small window, an end of outages, an open session to begin
/// with). Then lines; `Play.step` says what they stand for.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzReplies(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let flags = input.flags()
    let play = Play(flags)
    if flags[4] { for line in opening { play.step(Array(line.utf8)[...]) } }
    for line in input.rest().split(separator: UInt8(ascii: "\n")) { play.step(line) }
    play.end()
    return 0
}

/// A session with a subscription.
private let opening = [
    "+", "$first", #"h[{"channel":"/meta/handshake","id":"~","successful":true,"clientId":"one"}]"#,
    "*0/a/**", #"s[{"channel":"/meta/subscribe","id":"~","successful":true}]"#,
]
