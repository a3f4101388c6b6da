import BrokerCore
import FuzzSupport
import Support

@main
enum FuzzRouter {
    static func main() { runFuzzer { fuzzRouter($0, $1) } }
}

/// What clients send, whatever is in it, gets well-formed replies or none; the router goes on, and keeps nothing.
///
/// An input is lines. The first character of a line says who sends the rest of it: `a` and `b` are WebSockets, `h` is a new
/// HTTP request; `A` and `B` lose their connection and come back, `.` lets time pass. A `~` stands for the client id of
/// `a`, a `^` for that of `b`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRouter(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    var play = Play()
    for line in input.rest().split(separator: UInt8(ascii: "\n")) { play.step(line) }
    play.end()
    return 0
}

private struct Play {
    private static let limits: Limits = {
        var limits = Limits()
        limits.queuedMessages = 4
        limits.replayedMessages = 8
        return limits
    }()
    private static let policies: ChannelPolicies = {
        guard let stored = try? ChannelPattern("/s/**", grammar: .faye, maximumBytes: 512) else {
            fatalError("a pattern is one")
        }
        var policies = ChannelPolicies()
        policies[stored] = ChannelPolicy(retain: true, historyCount: 4)
        return policies
    }()
    private let harness: RouterHarness
    private var peers: [Peer]
    private let clientIDs: [[UInt8]]

    init() {
        guard let harness = try? RouterHarness(limits: Self.limits, policies: Self.policies, reusesSlots: true) else {
            fatalError("a store in memory can be opened")
        }
        self.harness = harness
        let sessions = [harness.open(), harness.open()]
        peers = sessions.map(\.peer)
        clientIDs = sessions.map { Array($0.clientID.utf8) }
    }

    mutating func step(_ line: ArraySlice<UInt8>) {
        let text = line.dropFirst()
        switch line.first {
        case UInt8(ascii: "a"): send(text, from: peers[0])
        case UInt8(ascii: "b"): send(text, from: peers[1])
        case UInt8(ascii: "h"):
            let request = harness.exchange()
            if !send(text, from: request) { harness.close(request) }
        case UInt8(ascii: "A"): comeBack(0)
        case UInt8(ascii: "B"): comeBack(1)
        case UInt8(ascii: "."): harness.advance(by: .seconds(text.count + 1))
        default: break
        }
        for peer in peers { _ = harness.take(peer) }
    }

    private mutating func comeBack(_ number: Int) {
        harness.close(peers[number])
        peers[number] = harness.socket()
    }

    /// Whether it is a batch.
    @discardableResult
    private func send(_ text: ArraySlice<UInt8>, from peer: Peer) -> Bool {
        var bytes: [UInt8] = []
        for byte in text {
            switch byte {
            case UInt8(ascii: "~"): bytes += clientIDs[0]
            case UInt8(ascii: "^"): bytes += clientIDs[1]
            default: bytes.append(byte)
            }
        }
        // Halves of surrogate pairs and numbers without bounds are JSON and go back as they came; the harness cannot read them.
        guard (try? JSON(parsing: bytes)) != nil else { return false }
        var batch: [Envelope] = []
        let isBatch = withExactCopy(bytes) { copy in
            guard (try? EnvelopeScanner().scan(validatingUTF8: copy.bytes, into: &batch)) != nil else { return false }
            for message in batch where !Self.canBeRead(message, in: copy.bytes) { return false }
            harness.receive(batch, text: copy.bytes, from: peer)
            return true
        }
        guard isBatch else { return false }
        let replies = harness.take(peer).count { if case .reply = $0 { true } else { false } }
        // A reply of its own for each, and one for an older connect.
        require(replies <= batch.count + 1, "nothing is answered twice")
        return true
    }

    /// Whether that holds for each field that goes back, too: of one that is there twice the harness reads only one.
    private static func canBeRead(_ message: Envelope, in text: RawSpan) -> Bool {
        for field in [message.channel, message.clientId, message.id, message.subscription, message.data, message.ext]
        where !field.isAbsent && (try? JSON(parsing: field.json(in: text).utf8)) == nil {
            return false
        }
        return true
    }

    /// Everybody leaves, and is forgotten.
    func end() {
        for peer in peers { harness.close(peer) }
        harness.advance(by: .seconds(3600))
        require(harness.sessionCount == 0 && harness.subscriptionCount == 0, "sessions end")
        require(harness.heldSubscriptionCount == 0, "what they held is free")
        require(harness.queuedBytes == 0, "what waits goes with its session")
        require(harness.unreleasedCount == 0, "slots are given back")
    }
}
