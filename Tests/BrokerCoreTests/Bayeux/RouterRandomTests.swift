import BrokerCore
import Support
import Testing

/// The plainest broker there is: a list of what every session must get, in order.
private struct NaiveBroker {
    struct Session {
        let clientID: String
        var patterns: Set<ChannelPattern> = []
        /// Those that it has unsubscribed from.
        var takenBack: Set<ChannelPattern> = []
        /// All that it must get, and all that it got so far.
        var expected: [RouterHarness.Event] = []
        var received: [RouterHarness.Event] = []
        var expiresAt: UInt64
        var isAlive = true
        var isStored = false
    }
    /// What the store has not done yet.
    enum Operation {
        case publish(ChannelName, Int, isStored: Bool)
        case subscribe(session: Int, [ChannelPattern])
        case unsubscribe(session: Int, [ChannelPattern])
        case endSession
    }
    var sessions: [Session] = []
    var pending: [(connection: ConnectionID?, operation: Operation)] = []
    var retained: [ChannelName: (sequence: Int, data: Int)] = [:]
    var sequence = 0

    mutating func apply(_ operation: Operation) {
        switch operation {
        case .publish(let channel, let data, false):
            deliver(.message(.number(Double(data)), on: channel.text), on: channel)
        case .publish(let channel, let data, true):
            sequence += 1
            retained[channel] = (sequence, data)
            deliver(
                .message(.number(Double(data)), on: channel.text, sequence: sequence), on: channel)
        case .subscribe(let session, let patterns) where sessions[session].isAlive:
            sessions[session].patterns.formUnion(patterns)
            let matching = retained.filter { entry in patterns.contains { $0.matches(entry.key) } }
            for (channel, kept) in matching.sorted(by: { $0.value.sequence < $1.value.sequence }) {
                sessions[session].expected.append(
                    .message(
                        .number(Double(kept.data)), on: channel.text, sequence: kept.sequence, retained: true))
            }
        case .unsubscribe(let session, let patterns) where sessions[session].isAlive:
            sessions[session].patterns.subtract(patterns)
            sessions[session].takenBack.formUnion(patterns)
        case .subscribe, .unsubscribe, .endSession:
            break
        }
    }

    /// Whether the session is subscribed to it, or may be soon.
    func mayHave(_ pattern: ChannelPattern, _ session: Int) -> Bool {
        sessions[session].patterns.contains(pattern)
            || pending.contains { if case .subscribe(session, _) = $0.operation { true } else { false } }
    }

    private mutating func deliver(_ message: RouterHarness.Event, on channel: ChannelName) {
        for index in sessions.indices where sessions[index].isAlive {
            if sessions[index].patterns.contains(where: { $0.matches(channel) }) {
                sessions[index].expected.append(message)
            }
        }
    }

    mutating func end(_ session: Int) {
        sessions[session].isAlive = false
        if sessions[session].isStored { pending.append((nil, .endSession)) }
    }
}

/// Clients that do whatever comes to their minds, and keep account of it.
private struct Crowd {
    let harness: RouterHarness
    var random: SeededGenerator
    var broker = NaiveBroker()
    /// Open connections, and the session that each is for.
    var connections: [(peer: Peer, session: Int?)] = []
    var publicationCount = 0

    init(seed: UInt64) throws {
        harness = try RouterHarness(seed: seed, loopCount: 3, reusesSlots: true)
        harness.storeMode = .held
        random = SeededGenerator(seed: seed)
    }

    mutating func step() throws {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<4: open()
        case 4..<24: connect()
        case 24..<28: closeConnection()
        case 28..<38: try subscribe()
        case 38..<41: try unsubscribe()
        case 41..<80: try publish()
        case 80..<81: disconnect()
        case 81..<85: advance(by: .seconds(Int.random(in: 1...15, using: &random)))
        case 85..<97: runStore(Int.random(in: 0...6, using: &random))
        default: runStore(.max)
        }
        absorbAll()
    }

    private func loop(_ random: inout SeededGenerator) -> Int { Int.random(in: 0..<3, using: &random) }

    private var living: [Int] { broker.sessions.indices.filter { broker.sessions[$0].isAlive } }

    private mutating func newSocket(for session: Int?) -> Peer {
        let peer = harness.socket(loop: loop(&random))
        connections.append((peer, session))
        return peer
    }

    private mutating func open() {
        let clientID = harness.handshake(harness.exchange(loop: loop(&random)))
        broker.sessions.append(.init(clientID: clientID, expiresAt: harness.now.adding(.seconds(120))))
    }

    /// A connect over a new poll, a new socket, the session's own, or one that another session has.
    private mutating func connect() {
        guard let session = living.randomElement(using: &random) else { return }
        let sockets = connections.filter { $0.peer.kind == .socket }
        let own = sockets.last { $0.session == session }
        let peer: Peer
        switch Int.random(in: 0..<8, using: &random) {
        case 0..<3:
            peer = harness.exchange(loop: loop(&random))
            connections.append((peer, session))
        case 3..<6 where own != nil: peer = own?.peer ?? newSocket(for: session)
        case 6: peer = sockets.randomElement(using: &random)?.peer ?? newSocket(for: session)
        default: peer = newSocket(for: session)
        }
        for index in connections.indices where connections[index].peer == peer { connections[index].session = session }
        broker.sessions[session].expiresAt = harness.now.adding(.seconds(120))
        absorb(harness.connect(broker.sessions[session].clientID, from: peer), for: session, from: peer)
    }

    private mutating func closeConnection() {
        guard let index = connections.indices.randomElement(using: &random) else { return }
        harness.close(connections.remove(at: index).peer)
    }

    private mutating func subscribe() throws {
        guard let session = living.randomElement(using: &random) else { return }
        let patterns = try (0...Int.random(in: 0...1, using: &random)).map { _ in try pattern() }
        let peer = sender(for: session)
        broker.sessions[session].isStored = true
        broker.pending.append((peer.connection, .subscribe(session: session, patterns)))
        absorb(
            harness.subscribe(
                broker.sessions[session].clientID, to: .array(patterns.map { .string($0.text) }), from: peer),
            for: session, from: peer)
    }

    private mutating func unsubscribe() throws {
        guard let session = living.randomElement(using: &random) else { return }
        let own = broker.sessions[session].patterns.sorted { $0.text < $1.text }.randomElement(using: &random)
        let pattern = try own ?? self.pattern()
        let peer = sender(for: session)
        if broker.mayHave(pattern, session) {
            broker.pending.append((peer.connection, .unsubscribe(session: session, [pattern])))
        }
        absorb(
            harness.unsubscribe(broker.sessions[session].clientID, from: .string(pattern.text), over: peer),
            for: session, from: peer)
    }

    /// The session's socket, or a new request.
    private mutating func sender(for session: Int) -> Peer {
        if let own = connections.last(where: { $0.session == session && $0.peer.kind == .socket }) { return own.peer }
        let peer = harness.exchange(loop: loop(&random))
        connections.append((peer, nil))
        return peer
    }

    private mutating func publish() throws {
        publicationCount += 1
        let channel = try ChannelName(text(), grammar: .faye, maximumBytes: 100)
        let isStored = Int.random(in: 0..<4, using: &random) == 0
        let socket = connections.filter { $0.peer.kind == .socket }.randomElement(using: &random)
        let peer = socket?.peer ?? newSocket(for: nil)
        let operation = NaiveBroker.Operation.publish(channel, publicationCount, isStored: isStored)
        if isStored || broker.pending.contains(where: { $0.connection == peer.connection }) {
            broker.pending.append((peer.connection, operation))
        } else {
            broker.apply(operation)
        }
        let events = harness.publish(
            .number(Double(publicationCount)), to: channel.text, from: peer, ext: isStored ? ["retain": true] : nil)
        absorb(events, for: socket?.session, from: peer)
    }

    private mutating func disconnect() {
        guard let session = living.randomElement(using: &random) else { return }
        broker.end(session)
        let peer = newSocket(for: nil)
        absorb(harness.disconnect(broker.sessions[session].clientID, from: peer), for: nil, from: peer)
    }

    mutating func advance(by duration: Duration) {
        harness.advance(by: duration)
        for session in living where broker.sessions[session].expiresAt <= harness.now.monotonic { broker.end(session) }
    }

    mutating func runStore(_ count: Int) {
        let operations = broker.pending.prefix(count)
        broker.pending.removeFirst(operations.count)
        for (_, operation) in operations { broker.apply(operation) }
        harness.runStore(count)
    }

    mutating func absorbAll() {
        for (peer, session) in connections { absorb(harness.take(peer), for: session, from: peer) }
    }

    private mutating func absorb(_ events: [RouterHarness.Event], for session: Int?, from peer: Peer) {
        for event in events {
            switch event {
            case .push:
                if let session { broker.sessions[session].received.append(event) } else { Issue.record("\(event)") }
            case .finish:
                connections.removeAll { $0.peer == peer }
            case .close:
                connections.removeAll { $0.peer == peer }
                harness.close(peer)
            case .reply, .emptyReply, .release, .receipt, .retained:
                break
            case .history, .report, .noHistory, .open, .refuse, .pause, .resume, .cut:
                Issue.record("\(event)")
            }
        }
    }

    private mutating func text() -> String {
        (0...Int.random(in: 0...2, using: &random)).map { _ in
            "/" + (["a", "b", "ab"].randomElement(using: &random) ?? "a")
        }.joined()
    }

    private mutating func pattern() throws -> ChannelPattern {
        var text = text()
        switch Int.random(in: 0..<6, using: &random) {
        case 0: text += "/*"
        case 1: text += "/**"
        case 2: text = "/*"
        default: break
        }
        return try ChannelPattern(text, grammar: .faye, maximumBytes: 100)
    }
}

@Suite("Router against a naive broker")
struct RouterRandomTests {
    /// Retained messages with a number that came before are left out: they come again after another subscription, and
    /// when a session goes on over another connection, for the last one may be lost. No other message may come twice.
    private static func withoutRepeats(_ events: [RouterHarness.Event]) -> [RouterHarness.Event] {
        var seen: Set<Double> = []
        return events.filter { event in
            guard case .push(let message) = event, case .number(let sequence)? = message["ext"]?["seq"] else {
                return true
            }
            return seen.insert(sequence).inserted || message["ext"]?["retained"] != true
        }
    }

    /// Retained messages that were replaced are left out: whether one is still there when its turn comes depends on how
    /// long the session was away.
    private static func withoutReplaced(_ events: [RouterHarness.Event], last: [String: Double]) -> [RouterHarness
        .Event]
    {
        events.filter { event in
            guard case .push(let message) = event, let channel = message["channel"]?.text,
                case .number(let sequence)? = message["ext"]?["seq"], message["ext"]?["retained"] == true
            else { return true }
            return sequence >= last[channel] ?? 0
        }
    }

    /// Retained messages of what the session has unsubscribed from are left out: what waits of them then does not come.
    private static func withoutTakenBack(
        _ events: [RouterHarness.Event], _ takenBack: Set<ChannelPattern>
    ) -> [RouterHarness.Event] {
        events.filter { event in
            guard case .push(let message) = event, message["ext"]?["retained"] == true,
                let channel = try? ChannelName(message["channel"]?.text ?? "", grammar: .faye, maximumBytes: 100)
            else { return true }
            return !takenBack.contains { $0.matches(channel) }
        }
    }

    @Test("Every subscriber gets every matching publication once and in order", arguments: 1...8 as ClosedRange<UInt64>)
    func randomOperations(seed: UInt64) throws {
        var crowd = try Crowd(seed: seed)
        for _ in 0..<3000 { try crowd.step() }
        crowd.runStore(.max)
        crowd.absorbAll()
        #expect(crowd.harness.unreleasedCount == 0)
        #expect(crowd.harness.sessionCount == crowd.broker.sessions.filter(\.isAlive).count)
        #expect(
            crowd.harness.subscriptionCount
                == crowd.broker.sessions.filter(\.isAlive).reduce(0) { $0 + $1.patterns.count })
        var deliveredCount = 0
        let last = crowd.broker.retained.map { ($0.key.text, Double($0.value.sequence)) }
        for session in crowd.broker.sessions {
            var received = session.received
            func normal(_ events: [RouterHarness.Event]) -> [RouterHarness.Event] {
                let events = Self.withoutTakenBack(events, session.takenBack)
                return Self.withoutRepeats(
                    Self.withoutReplaced(events, last: Dictionary(uniqueKeysWithValues: last)))
            }
            if session.isAlive {
                let last = crowd.harness.connect(session.clientID, from: crowd.harness.socket())
                received += last.filter { if case .push = $0 { true } else { false } }
                #expect(normal(received) == normal(session.expected))
            } else {
                let got = normal(received)
                #expect(got == Array(normal(session.expected).prefix(got.count)))
            }
            deliveredCount += received.count
        }
        #expect(deliveredCount > 1000)
        // Everybody has been here, so nothing waits.
        #expect(crowd.harness.queuedBytes == 0)
    }
}
