import FuzzSupport

@testable import Driver

@main
enum FuzzInflate {
    static func main() { runFuzzer { fuzzInflate($0, $1) } }
}

/// permessage-deflate: what is inflated is bounded, does not depend on the bound or on idle memory, and what was
/// deflated comes back.
///
/// Choices: flags (no context takeover of the peer, and of our own), the window, the longest message, the level, the
/// memory level and the strategy. Then messages: a byte for the length, and whether it is a round trip.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzInflate(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let flags = input.flags()
    var options = PermessageDeflate.Options()
    let window = 8 + Int(input.byte() & 7)
    let limit = input.choice([65_536, 0, 1, 100, 4096, 16_383, 16_384, 32_769])
    options.level = Int(input.byte() % 11) - 1
    options.memoryLevel = 1 + Int(input.byte() % 9)
    options.strategy = Int(input.byte() % 5)
    let agreement = DeflateAgreement(
        ownNoContextTakeover: flags[1], ownWindowBits: max(window, 9), peerNoContextTakeover: flags[0],
        peerWindowBits: window)
    let mirrored = DeflateAgreement(
        ownNoContextTakeover: flags[0], ownWindowBits: max(window, 9), peerNoContextTakeover: flags[1],
        peerWindowBits: window)

    let session = DeflateSession(options, agreement)
    let idle = DeflateSession(options, agreement)
    let roomy = DeflateSession(options, agreement)
    let peer = DeflateSession(options, mirrored)
    defer { for one in [session, idle, roomy, peer] { one.close() } }
    while !input.isEmpty {
        let head = input.byte()
        let payload = input.take(head & 0x7F == 0x7F ? 1000 : Int(head & 0x7F))
        if head & 0x80 != 0 {
            guard roundTrip(payload, limit, from: session, to: peer) else { return 0 }
            continue
        }
        let result = inflate(payload, limit, session)
        require(inflate(payload, limit, idle) == result, "idle memory is of no use to the next message")
        idle.releaseIdleMemory()
        let reference = inflate(payload, 131_072, roomy)
        switch (result, reference) {
        case (.success(let bytes), _):
            require(bytes.count <= limit && reference == result, "a bound changes nothing below it")
        case (.failure(let failure), .success(let bytes)):
            require(failure.closeCode == .messageTooBig && bytes.count > limit, "1009 at the bound only")
            return 0
        case (.failure(let failure), .failure(let other)):
            require([CloseCode.invalidPayload, .messageTooBig].contains(failure.closeCode))
            require(failure == other || failure.closeCode == .messageTooBig)
            return 0
        }
    }
    return 0
}

/// False if the message was too long, after which the peer's context is of no use.
private func roundTrip(
    _ payload: [UInt8], _ limit: Int, from session: DeflateSession, to peer: DeflateSession
) -> Bool {
    let header = ExtensionMessageHeader(kind: .binary, reservedBits: [], maximumBytes: .max)
    let outcome = withExactCopy(payload) {
        session.processOutgoing($0.bytes, header, token: ExtensionToken(direction: .outgoing, number: 0, stage: 0))
    }
    session.releaseIdleMemory()
    guard case .message(let message) = outcome, message.reservedBits == .rsv1 else { fatalError("not deflated") }
    let result = inflate(message.payload, limit, peer)
    peer.releaseIdleMemory()
    guard payload.count <= limit else {
        guard case .failure(let failure) = result else { fatalError("longer than the bound") }
        require(failure.closeCode == .messageTooBig)
        return false
    }
    require(result == .success(payload), "what was deflated comes back")
    return true
}

private func inflate(
    _ payload: [UInt8], _ limit: Int, _ session: DeflateSession
) -> Result<[UInt8], ExtensionFailure> {
    let header = ExtensionMessageHeader(kind: .binary, reservedBits: .rsv1, maximumBytes: limit)
    let outcome = withExactCopy(payload) {
        session.processIncoming($0.bytes, header, token: ExtensionToken(direction: .incoming, number: 0, stage: 0))
    }
    switch outcome {
    case .message(let message):
        require(message.payload.count <= limit, "no message is longer than the bound")
        return .success(message.payload)
    case .failed(let failure):
        return .failure(failure)
    case .unchanged, .pending:
        fatalError("a message with the bit is inflated at once")
    }
}
