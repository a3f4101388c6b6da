import BrokerCore
import CLibFuzzer

@main
enum FuzzEnvelope {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments) { fuzzEnvelope($0, $1) }
    }
}

/// Any bytes are a batch or an error, nothing else; and what is a batch can be read to its last field.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzEnvelope(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Memory of exactly that size, so that the sanitizer sees a read beyond it.
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
    defer { bytes.deallocate() }
    if let start { bytes.copyMemory(from: UnsafeRawBufferPointer(start: start, count: count)) }
    let text = UnsafeRawBufferPointer(bytes).bytes

    let scanner = EnvelopeScanner()
    var batch: [Envelope] = []
    guard (try? scanner.scan(validatingUTF8: text, into: &batch)) != nil else {
        precondition(batch.isEmpty, "an error leaves nothing behind")
        return 0
    }
    precondition((try? scanner.scanValue(validatingUTF8: text)) != nil, "a batch is a JSON value")
    for envelope in batch {
        _ = envelope.channel.string(in: text)
        _ = envelope.id.double(in: text)
        _ = envelope.subscription.strings(in: text)
        _ = envelope.ext.member("retain", in: text).bool
        var members = envelope.whole.members
        while let (name, value) = members.next(in: text) {
            precondition(name.string(in: text) != nil, "a member has a name")
            _ = value.integer(in: text)
        }
        if let name = envelope.channel.string(in: text) {
            _ = try? ChannelName(name, grammar: .faye, maximumBytes: 512)
            _ = try? ChannelPattern(name, grammar: .cometd, maximumBytes: 512)
        }
    }
    return 0
}
