import BrokerCore
import FuzzSupport

@main
enum FuzzEnvelope {
    static func main() { runFuzzer { fuzzEnvelope($0, $1) } }
}

/// Any bytes are a batch or an error, nothing else; and what is a batch can be read to its last field.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzEnvelope(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    return withExactCopy(input.rest()) { scan($0.bytes) }
}

private func scan(_ text: RawSpan) -> CInt {
    let scanner = EnvelopeScanner()
    var batch: [Envelope] = []
    guard (try? scanner.scan(validatingUTF8: text, into: &batch)) != nil else {
        require(batch.isEmpty, "an error leaves nothing behind")
        return 0
    }
    require((try? scanner.scanValue(validatingUTF8: text)) != nil, "a batch is a JSON value")
    for envelope in batch {
        _ = envelope.channel.string(in: text)
        _ = envelope.id.double(in: text)
        _ = envelope.subscription.strings(in: text)
        _ = envelope.ext.member("retain", in: text).bool
        if let value = envelope.ext.member("traceparent", in: text).string(in: text),
            let trace = TraceParent(value)
        {
            require(trace.text == value, "a trace is passed on as it came")
            require(
                value.utf8.count == 55 && value.utf8.allSatisfy { "0123456789abcdef-".utf8.contains($0) },
                "a trace needs no escapes")
        }
        var members = envelope.whole.members
        var names: Set<String> = []
        var isRepeated = false
        while let (name, value) = members.next(in: text) {
            guard let name = name.string(in: text) else { fatalError("a member has a name") }
            if !names.insert(name).inserted { isRepeated = true }
            _ = value.integer(in: text)
        }
        let repeated = try? JSONNames.repeated(in: text.extracting(envelope.whole.range))
        require((repeated != nil) == isRepeated, "a name that comes twice is told")
        if let name = envelope.channel.string(in: text) {
            _ = try? ChannelName(name, grammar: .faye, maximumBytes: 512)
            _ = try? ChannelPattern(name, grammar: .cometd, maximumBytes: 512)
        }
    }
    return 0
}
