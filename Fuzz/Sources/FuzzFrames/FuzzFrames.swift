import Driver
import FuzzSupport

@main
enum FuzzFrames {
    static func main() { runFuzzer { fuzzFrames($0, $1) } }
}

/// Frames on an open connection, for a server and for a client.
///
/// Choices: flags (client, deflate, one event at a time with echoes, a close at the first message, Pings, idle memory
/// given back, silence instead of an end, no context takeover), and the longest message.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzFrames(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let flags = input.flags()
    var plan = Plan()
    plan.options.maximumMessageBytes = input.choice([65_536, 1, 16, 125, 126, 127, 1024, 65_535])
    let handshake = handshakes[(flags[0] ? 1 : 0) + (flags[1] ? flags[7] ? 4 : 2 : 0)]
    plan.extensions = handshake.extensions
    plan.stepsEvents = flags[2]
    plan.echoes = flags[2]
    plan.closesAtMessage = flags[3]
    plan.pings = flags[4]
    plan.timesOut = flags[6]
    plan.stream = input.rest()
    if flags[0] {
        plan.opening = handshake.response
    } else {
        plan.request = handshake.request
    }
    compareSplits { split in
        var plan = plan
        plan.releasesIdleMemory = flags[5] && split == .single
        return flags[0] ? plan.runClient(split) : plan.runServer(split)
    }
    return 0
}

/// Both sides' handshakes, made once.
private struct Handshake {
    var extensions: [any WebSocketExtension]
    var request: RequestHead
    var response: [UInt8]

    init(_ deflate: PermessageDeflate.Options?) {
        extensions = deflate.flatMap { try? PermessageDeflate($0) }.map { [$0] } ?? []
        var plan = Plan()
        plan.extensions = extensions
        request = RequestHead(
            target: "/",
            headers: [
                ("Host", "a"), ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ].reduce(into: HeaderFields()) { $0.append($1.0, $1.1) })
        if deflate != nil {
            request.headers.append("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")
        }
        response = plan.serverResponse()
    }
}

private let handshakes: [Handshake] = {
    // Small windows and little memory: to clear it would take most of the time.
    var small = PermessageDeflate.Options()
    small.maxWindowBits = 9
    small.requestMaxWindowBits = 9
    small.memoryLevel = 1
    var forgetful = small
    forgetful.noContextTakeover = true
    forgetful.requestNoContextTakeover = true
    return [nil, nil, small, small, forgetful, forgetful].map(Handshake.init)
}()
