import Driver
import FuzzSupport

@main
enum FuzzHixie {
    static func main() { runFuzzer { fuzzHixie($0, $1) } }
}

/// draft-hixie-75 and -76: the handshake, its body, and frames.
///
/// Choices: flags (75, the head belongs to the input, one event at a time with echoes, a close at the first message,
/// late answer, early message, silence instead of an end, TLS), and the longest message.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHixie(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let flags = input.flags()
    var plan = Plan()
    plan.mayRepair = true
    plan.options.maximumMessageBytes = input.choice([4096, 1, 16, 126])
    plan.options.subprotocols = ["a"]
    plan.options.isSecure = flags[7]
    plan.stepsEvents = flags[2]
    plan.echoes = flags[2]
    plan.closesAtMessage = flags[3]
    plan.startsLate = flags[4]
    plan.sendsEarly = flags[5]
    plan.timesOut = flags[6]
    plan.stream = input.rest()
    if !flags[1] { plan.request = flags[0] ? hixie75 : hixie76 }
    compareSplits { split in
        let outcome = plan.runServer(split)
        require(outcome.output.isEmpty || isWellFormedAnswer(outcome.output), "an answer is HTTP")
        return outcome
    }
    return 0
}

private let hixie75 = head([("Host", "a"), ("Upgrade", "WebSocket"), ("Connection", "Upgrade"), ("Origin", "http://a")])

/// The keys of draft-hixie-76 §1.2.
private let hixie76 = head([
    ("Host", "a"), ("Upgrade", "WebSocket"), ("Connection", "Upgrade"), ("Origin", "http://a"),
    ("Sec-WebSocket-Key1", "4 @1  46546xW%0l 1 5"), ("Sec-WebSocket-Key2", "12998 5 Y3 1  .P00"),
])

private func head(_ fields: [(String, String)]) -> RequestHead {
    RequestHead(target: "/", headers: fields.reduce(into: HeaderFields()) { $0.append($1.0, $1.1) })
}
