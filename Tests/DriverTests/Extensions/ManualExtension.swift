import Driver

/// An extension whose session does what the test says; each marks the payload with its letter.
///
/// A class, so that a test reaches the session; used on one thread only.
final class ManualExtension: WebSocketExtension, @unchecked Sendable {
    let name: String
    let reservedBits: ReservedBits
    let offers: [ExtensionParameters]
    let session: ManualSession
    let declines: Bool

    init(
        _ name: String, _ reservedBits: ReservedBits = [], offers: [ExtensionParameters] = [[:]],
        declines: Bool = false, refuses: Bool = false,
        behave: @escaping (ManualSession.Call) -> ManualSession.Behaviour = { _ in .finish }
    ) {
        self.name = name
        self.reservedBits = reservedBits
        self.offers = offers
        self.declines = declines
        session = ManualSession(name, reservedBits, offers: offers, refuses: refuses, behave: behave)
    }

    func makeClientSession() -> (any ClientExtensionSession)? { declines ? nil : session }

    func makeServerSession(
        for offers: [ExtensionParameters]
    ) -> (session: any ExtensionSession, response: ExtensionParameters)? {
        declines ? nil : (session, offers[0])
    }
}

final class ManualSession: ClientExtensionSession {
    enum Direction { case incoming, outgoing }
    enum Behaviour { case finish, leave, wait, fail, waitAndFail }

    struct Call {
        let direction: Direction
        let payload: [UInt8]
        let bits: ReservedBits
    }

    struct Waiting {
        let token: ExtensionToken
        let result: Result<ExtensionMessage, ExtensionFailure>
    }

    let offers: [ExtensionParameters]
    private let letter: UInt8
    private let bits: ReservedBits
    private let refuses: Bool
    private let behave: (Call) -> Behaviour
    private(set) var calls: [Call] = []
    var waiting: [Waiting] = []
    private(set) var closeCount = 0
    private(set) var closedWhileWaiting = false
    private(set) var releaseCount = 0

    init(
        _ name: String, _ bits: ReservedBits, offers: [ExtensionParameters], refuses: Bool,
        behave: @escaping (Call) -> Behaviour
    ) {
        self.offers = offers
        self.refuses = refuses
        self.bits = bits
        self.behave = behave
        letter = Array(name.utf8).last ?? 0
    }

    func accept(_ response: ExtensionParameters) -> Bool { !refuses }

    func processIncoming(
        _ payload: RawSpan, _ header: ExtensionMessageHeader, token: ExtensionToken
    ) -> ExtensionOutcome {
        process(.incoming, payload, header, token)
    }

    func processOutgoing(
        _ payload: RawSpan, _ header: ExtensionMessageHeader, token: ExtensionToken
    ) -> ExtensionOutcome {
        process(.outgoing, payload, header, token)
    }

    private func process(
        _ direction: Direction, _ payload: RawSpan, _ header: ExtensionMessageHeader, _ token: ExtensionToken
    ) -> ExtensionOutcome {
        let call = Call(
            direction: direction, payload: payload.withUnsafeBytes(Array.init), bits: header.reservedBits)
        calls.append(call)
        // More bits than its own: the driver takes only those.
        let message = ExtensionMessage(
            reservedBits: direction == .outgoing ? [.rsv1, .rsv2, .rsv3] : [], payload: call.payload + [letter])
        let failure = ExtensionFailure(closeCode: .policyViolation, message: "no")
        switch behave(call) {
        case .finish: return .message(message)
        case .leave: return .unchanged
        case .fail: return .failed(failure)
        case .wait: waiting.append(Waiting(token: token, result: .success(message)))
        case .waitAndFail: waiting.append(Waiting(token: token, result: .failure(failure)))
        }
        return .pending
    }

    func close() {
        closeCount += 1
        closedWhileWaiting = !waiting.isEmpty
    }

    func releaseIdleMemory() { releaseCount += 1 }
}

/// A frame that a driver wrote, with its reserved bits.
struct BitFrame: Equatable, CustomStringConvertible {
    var bits: UInt8
    var opcode: UInt8
    var payload: [UInt8]

    init(_ bits: ReservedBits, _ opcode: UInt8, _ payload: [UInt8]) {
        self.bits = bits.rawValue
        self.opcode = opcode
        self.payload = payload
    }

    var description: String { "\(bits):\(opcode):\(String(decoding: payload, as: UTF8.self))" }

    /// All frames of a server or a client; `nil` if one is incomplete or not final.
    static func parseAll(_ bytes: [UInt8]) -> [Self]? {
        var rest = bytes[...]
        var frames: [Self] = []
        while let first = rest.popFirst(), let second = rest.popFirst() {
            guard first & 0x80 != 0 else { return nil }
            let form = Int(second & 0x7F)
            let extra = form == 126 ? 2 : form == 127 ? 8 : 0
            let count = extra == 0 ? form : rest.prefix(extra).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(extra)
            let key = Array(rest.prefix(second & 0x80 == 0 ? 0 : 4))
            rest = rest.dropFirst(key.count)
            guard rest.count >= count else { return nil }
            let payload = rest.prefix(count).enumerated().map { key.isEmpty ? $1 : $1 ^ key[$0 % 4] }
            rest = rest.dropFirst(count)
            frames.append(Self(ReservedBits(rawValue: first), first & 0x0F, payload))
        }
        return rest.isEmpty ? frames : nil
    }
}

extension String {
    var hex: [UInt8] {
        stride(from: 0, to: utf8.count, by: 2).compactMap {
            UInt8(dropFirst($0).prefix(2), radix: 16)
        }
    }
}
