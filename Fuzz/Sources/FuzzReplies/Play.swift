import BrokerCore
import FuzzSupport
import NIOCore
import NIOEmbedded

@testable import ClientSession

/// A client's session with a connection that is played, and a clock that stands still until it is moved.
final class Play {
    /// A connection that keeps what is sent.
    private final class Transport: ClientTransport {
        var sent: [[UInt8]] = []
        var isPaused = false
        /// Why it was given up.
        var failure: ClientError?

        func send(_ text: [UInt8]) { sent.append(text) }
        func close() {}
        func giveUp(_ error: ClientError) { failure = error }
        func pause(_ isPaused: Bool) { self.isPaused = isPaused }
    }
    /// What the session has asked for, and has not got yet.
    private final class Wish { var isOpen = false }
    /// How many wait for an answer of the session.
    private final class Waiting { var count = 0 }

    private let loop = EmbeddedEventLoop()
    private let core: ClientCore
    private let connection = Wish()
    private let token = Wish()
    private let waiting = Waiting()
    private var transport: Transport?
    /// All that there have been.
    private var groups: [SubscriptionGroup] = []
    private let shared = ClientShared()
    private let executor = InlineExecutor()

    init(_ flags: Flags) {
        guard let endpoint = try? Endpoint("http://broker.example/bayeux") else { fatalError("A good URL is refused") }
        var configuration = ClientConfiguration(endpoint: endpoint)
        if flags[0] { configuration.tokenSource = TokenSource { throw CancellationError() } }
        configuration.acknowledgesMessages = flags[1]
        if flags[2] { configuration.window = 2 }
        configuration.maximumFirstOutage = nil
        configuration.maximumOutage = flags[3] ? .seconds(60) : nil
        // No chance is to decide what an input does.
        configuration.backoff.first = .zero
        configuration.backoff.most = .zero
        let (connection, token) = (connection, token)
        core = ClientCore(
            configuration, loop: loop, shared: shared, fetchToken: { _ in token.isOpen = true },
            connect: { _ in connection.isOpen = true })
        core.begin(promise(Void.self))
    }

    /// Does what the first character of a line says: `+` a connection is made, `-` none came about, `!` it is lost (for
    /// the reason `d`, `r`, `p` or any other), `.` time passes, `*` subscribes (`0` to `3`, and a channel), `/`
    /// unsubscribes, `>` publishes (under the id that follows, if any), `?` asks a service, `$` a token comes, `%` the
    /// source fails (`!`: for good), `#` the client closes. Any other: the rest came from the broker, where `~` stands
    /// for the id of the last request that waits, of handshakes if it is `h`, and so on for `c`, `s`, `u`, `v` and `d`.
    func step(_ line: ArraySlice<UInt8>) {
        let rest = line.dropFirst()
        let text = String(decoding: rest, as: UTF8.self)
        switch line.first {
        case UInt8(ascii: "+"): open()
        case UInt8(ascii: "-"):
            guard connection.isOpen else { return }
            connection.isOpen = false
            core.connectionFailed(Self.error(rest.first))
        case UInt8(ascii: "!"): lose(Self.error(rest.first))
        case UInt8(ascii: "."): loop.advanceTime(by: .seconds(Int64(rest.count + 1)))
        case UInt8(ascii: "*"): subscribe(text)
        case UInt8(ascii: "/"):
            guard let group = core.groups.last(where: { $0.answered == nil }) else { return }
            core.sendUnsubscribe(group, promise(Void.self))
        case UInt8(ascii: ">"): publish(text)
        case UInt8(ascii: "?"): core.request("/service/x", Array("1".utf8), promise(Message.self))
        case UInt8(ascii: "$"):
            guard token.isOpen else { return }
            token.isOpen = false
            core.tokenFetched(text)
        case UInt8(ascii: "%"):
            guard token.isOpen else { return }
            token.isOpen = false
            core.tokenFailed(text == "!" ? TokenSource.Unauthorized() : CancellationError())
        case UInt8(ascii: "#"): core.close(promise(Void.self))
        default: receive(rest, as: Character(UnicodeScalar(line.first ?? 0)))
        }
        checkOutput(for: line.count)
        loseWhatIsGivenUp()
    }

    /// However long it takes, the session gets on; and when it ends, everybody is told.
    func end() {
        loop.advanceTime(by: .hours(2))
        checkOutput(for: 0)
        loseWhatIsGivenUp()
        loop.advanceTime(by: .hours(2))
        require(isUnderWay, "a session that is not over waits for something that comes: \(core.phase)")
        core.end(nil)
        lose(Self.error(nil))
        loop.advanceTime(by: .hours(2))
        require(core.phase == .closed, "what is over stays so")
        require(core.requests.isEmpty && core.groups.isEmpty && core.publications.isEmpty, "nothing is left behind")
        require(waiting.count == 0, "nobody waits in vain")
        for group in groups { read(group.buffer) }
    }

    /// Whether something outside of the session comes next, whose answer is for others to give.
    private var isUnderWay: Bool {
        switch core.phase {
        case .closed: true
        case .dialing: connection.isOpen
        case .shakingHands: core.awaitsToken ? token.isOpen : awaits("h")
        case .resuming, .open: awaits("c")
        case .idle, .waiting, .closing: false
        }
    }
}

/// What happens to the session.
extension Play {
    private func open() {
        guard connection.isOpen else { return }
        connection.isOpen = false
        let transport = Transport()
        guard core.connectionBegan(transport) else { return require(core.phase == .closed, "who dials wants one") }
        self.transport = transport
        core.connectionOpened()
        core.connectionReadCompleted()
    }

    private func lose(_ error: ClientError) {
        guard transport != nil else { return }
        transport = nil
        core.connectionClosed(error)
    }

    /// What the session does not want any more is closed.
    private func loseWhatIsGivenUp() {
        if let failure = transport?.failure { lose(failure) }
    }

    private static func error(_ kind: UInt8?) -> ClientError {
        switch kind {
        case UInt8(ascii: "d"): ClientError(.denied, "denied")
        case UInt8(ascii: "r"): ClientError(.refused, "refused")
        case UInt8(ascii: "p"): ClientError(.protocolFailure, "no Bayeux")
        default: ClientError(.unreachable, "lost")
        }
    }

    /// A message, and the end of what was read at once. It may be binary, and no UTF-8.
    private func receive(_ line: ArraySlice<UInt8>, as kind: Character) {
        guard transport != nil else { return }
        let id = requests(kind).max { ($0.count, $0) < ($1.count, $1) } ?? "m0"
        var bytes: [UInt8] = []
        for byte in line {
            if byte == UInt8(ascii: "~") { bytes += id.utf8 } else { bytes.append(byte) }
        }
        withExactCopy(bytes) { core.connectionReceived($0.bytes) }
        core.connectionReadCompleted()
    }

    private func awaits(_ kind: Character) -> Bool { !requests(kind).isEmpty }

    /// The ids of the requests of a kind that wait; of all for a character that is none.
    private func requests(_ kind: Character) -> [String] {
        core.requests.compactMap { id, request in
            let isOfKind =
                switch (kind, request.kind) {
                case ("h", .handshake), ("c", .connect), ("d", .disconnect), ("s", .subscribe), ("u", .unsubscribe),
                    ("v", .service):
                    true
                default: !"hcdsuv".contains(kind)
                }
            return isOfKind ? id : nil
        }
    }
}

/// What the caller does.
extension Play {
    private func subscribe(_ text: String) {
        let channel = String(text.dropFirst())
        guard core.groups.count < 4,
            let pattern = try? ChannelPattern(channel, grammar: .cometd, maximumBytes: .max)
        else { return }
        let start: ReplayStart =
            switch text.first {
            case "1": .new
            case "2": .everything
            case "3": .after(5, epoch: "e")
            default: .retained
            }
        let shared = shared
        let buffer = MessageBuffer(added: { shared.add($0) }) { _ = shared.remove($0, resumesBelow: 0) }
        let group = SubscriptionGroup(
            [channel], patterns: [pattern], options: SubscribeOptions(start: start), buffer: buffer,
            answered: promise(Void.self))
        core.subscribe(group)
        // Of one that is refused nobody reads.
        if core.groups.contains(where: { $0 === group }) { groups.append(group) }
    }

    private func publish(_ id: String) {
        var publication = ClientSession.Publication(Array("1".utf8), to: "/a")
        publication.id = id.isEmpty ? nil : id
        publication.wantsReceipt = true
        core.publish([publication], promise([PublicationOutcome].self))
    }

    /// A promise that has to be kept, or broken.
    private func promise<Value: Sendable>(_: Value.Type) -> EventLoopPromise<Value> {
        let promise = loop.makePromise(of: Value.self)
        waiting.count += 1
        let bound = NIOLoopBound(waiting, eventLoop: loop)
        promise.futureResult.whenComplete { _ in bound.value.count -= 1 }
        return promise
    }
}

/// What comes out of the session.
extension Play {
    /// What was sent for a line of the input of so many bytes.
    private func checkOutput(for byteCount: Int) {
        guard let transport else { return }
        defer { transport.sent = [] }
        let sentBytes = transport.sent.reduce(0) { $0 + $1.count }
        require(sentBytes <= 262_144 + 1024 * byteCount, "no text has the client send without end")
        var batch: [Envelope] = []
        for text in transport.sent {
            let bytes = text.span.bytes
            guard (try? EnvelopeScanner().scan(validatingUTF8: bytes, into: &batch)) != nil else {
                fatalError("What is sent is no batch: \(String(decoding: text, as: UTF8.self))")
            }
            for message in batch {
                let isHandshake = message.channel.equals("/meta/handshake", in: bytes)
                require(isHandshake != message.clientId.isString, "what is sent is of a session, or begins one")
                require(message.id.isString, "what is sent can be answered")
            }
        }
    }

    /// Reads all that waits, to the end.
    private func read(_ buffer: MessageBuffer) {
        while let messages = executor.run({ try? await buffer.take() }) {
            for message in messages {
                _ = (message.channel, message.id, message.epoch, message.gap)
                let data = Array(message.data)
                guard String(validating: message.json, as: UTF8.self) != nil, !data.isEmpty else { continue }
                require((try? EnvelopeScanner().scanValue(validatingUTF8: data.span.bytes)) != nil, "data is JSON")
            }
        }
    }
}
