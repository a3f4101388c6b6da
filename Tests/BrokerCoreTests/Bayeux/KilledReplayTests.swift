import BrokerCore
import Support
import Testing

/// A broker that is killed, or a connection that is lost, in the middle of a replay: the client gets the rest.
@Suite("Killed in a replay")
struct KilledReplayTests {
    /// A broker that keeps the last thousand publications of every channel below /h, and may be killed.
    private static func harness(on store: RememberingStore, limits: Limits = Limits()) throws -> RouterHarness {
        var policies = ChannelPolicies()
        let pattern = try ChannelPattern("/h/**", grammar: .faye, maximumBytes: 100)
        policies[pattern] = ChannelPolicy(historyCount: 5000)
        return try RouterHarness(limits: limits, policies: policies, sessions: store.sessions, store: store)
    }

    private static func publish(_ numbers: ClosedRange<Int>, on harness: RouterHarness, to channel: String = "/h/a") {
        let peer = harness.socket()
        for number in numbers { harness.publish(.number(Double(number)), to: channel, from: peer) }
    }

    /// The same; the last one is retained.
    private static func publishRetainingLast(_ numbers: ClosedRange<Int>, on harness: RouterHarness) {
        publish(numbers.lowerBound...numbers.upperBound - 1, on: harness)
        let last = JSON.number(Double(numbers.upperBound))
        harness.publish(last, to: "/h/a", from: harness.socket(), ext: ["retain": true])
    }

    private static func numbers(_ events: [RouterHarness.Event]) -> [Int] {
        events.compactMap { event in
            guard case .push(let message) = event, case .number(let number)? = message["data"] else { return nil }
            return Int(number)
        }
    }

    @discardableResult
    private static func subscribe(
        _ clientID: String, to pattern: String = "/h/a", replay: Int? = -2, from peer: Peer, on harness: RouterHarness
    ) -> [RouterHarness.Event] {
        let ext: JSON = replay.map { ["replay": [pattern: .number(Double($0))]] } ?? [:]
        return harness.send(
            [
                [
                    "channel": "/meta/subscribe", "clientId": .string(clientID), "subscription": .string(pattern),
                    "ext": ext,
                ]
            ], from: peer)
    }

    @Test("The rest comes when the client does, over a broker that was killed", arguments: [nil, -2, 0, 200])
    func kill(replay: Int?) throws {
        let store = RememberingStore()
        let first = try Self.harness(on: store)
        if replay == nil {
            for number in 1...1200 {
                first.publish(
                    .number(Double(number)), to: "/r/\(number)", from: first.socket(), ext: ["retain": true])
            }
        } else {
            Self.publish(1...1200, on: first)
        }
        let pattern = replay == nil ? "/r/*" : "/h/a"
        let (peer, clientID) = first.open()
        first.readsPromptly = false
        let page = Self.subscribe(clientID, to: pattern, replay: replay, from: peer, on: first)
        let begin = max(replay ?? 0, 0) + 1
        #expect(Self.numbers(page) == Array(begin..<begin + 512))

        let second = try Self.harness(on: store)
        let again = second.socket()
        #expect(Self.numbers(second.connect(clientID, from: again)) == Array(begin...1200))
        // What is live follows, and the client's next connects say that it has all of it.
        Self.publish(1201...1201, on: second, to: replay == nil ? "/r/live" : "/h/a")
        for _ in 1...3 { second.connect(clientID, from: again) }
        second.advance(by: .seconds(50))
        #expect(store.sessions.first?.replays == [:])
        let third = try Self.harness(on: store)
        let rest = Self.numbers(third.connect(clientID, from: third.socket()))
        #expect(rest == (replay == nil ? [] : [1201]) || rest == [])
    }

    @Test("What the client has said that it has does not come again")
    func progress() throws {
        let store = RememberingStore()
        let first = try Self.harness(on: store)
        Self.publish(1...1200, on: first)
        let (peer, clientID) = first.open()
        first.readsPromptly = false
        #expect(Self.numbers(Self.subscribe(clientID, from: peer, on: first)).count == 512)
        // This one is held, its answer comes behind the second page; the next says that both have arrived.
        #expect(Self.numbers(first.connect(clientID, from: peer)) == Array(513...1024))
        first.advance(by: .seconds(60))
        first.connect(clientID, from: peer)
        first.advance(by: .seconds(2))
        let second = try Self.harness(on: store)
        #expect(Self.numbers(second.connect(clientID, from: second.socket())) == Array(1025...1200))
    }

    /// With the other one in between, what is asked for again becomes one with that.
    @Test(
        "The rest comes, too, when its pattern is asked for again behind what is live",
        arguments: [nil, "/h/*"] as [String?])
    func askedAgain(inBetween other: String?) throws {
        let harness = try Self.harness(on: RememberingStore())
        Self.publish(1...1200, on: harness)
        let (peer, clientID) = harness.open()
        harness.readsPromptly = false
        #expect(Self.numbers(Self.subscribe(clientID, from: peer, on: harness)) == Array(1...512))
        Self.publish(1201...1201, on: harness)
        if let other { Self.subscribe(clientID, to: other, replay: 1195, from: peer, on: harness) }
        Self.subscribe(clientID, replay: 1190, from: peer, on: harness)
        harness.close(peer)

        let again = harness.socket()
        var received = Self.numbers(harness.connect(clientID, from: again))
        for _ in 1...6 {
            harness.drain()
            received += Self.numbers(harness.take(again))
        }
        #expect(Set(received) == Set(1...1201))
        for _ in 1...3 { harness.connect(clientID, from: again) }
        harness.close(again)
        #expect(Self.numbers(harness.connect(clientID, from: harness.socket())) == [])
    }

    @Test("The last page is lost with a connection that took it, too")
    func lostLastPage() throws {
        let harness = try Self.harness(on: RememberingStore())
        Self.publish(1...600, on: harness)
        let (peer, clientID) = harness.open()
        #expect(Self.numbers(Self.subscribe(clientID, from: peer, on: harness)) == Array(1...600))
        harness.close(peer)
        Self.publish(601...601, on: harness)
        let again = harness.socket()
        #expect(Self.numbers(harness.connect(clientID, from: again)) == Array(1...601))
        for _ in 1...2 { harness.connect(clientID, from: again) }
        harness.close(again)
        #expect(Self.numbers(harness.connect(clientID, from: harness.socket())) == [])
    }

    @Test(
        "What was asked for plainly as well has arrived when the client says so, also what was live in between",
        arguments: [[nil, 5], [5, nil], [-2, nil]] as [[Int?]])
    func plainlyAsWell(replays: [Int?]) throws {
        let store = RememberingStore()
        let first = try Self.harness(on: store)
        Self.publishRetainingLast(1...10, on: first)
        let (peer, clientID) = first.open()
        for replay in replays {
            Self.subscribe(clientID, replay: replay, from: peer, on: first)
            Self.publish(1...1, on: first)
        }
        // This one is held; its answer comes behind all of that, and the next one says that it has arrived.
        first.connect(clientID, from: peer)
        first.advance(by: .seconds(60))
        first.connect(clientID, from: peer)
        first.advance(by: .seconds(2))
        #expect(store.sessions.first?.replays == [:])
        first.close(peer)
        #expect(Self.numbers(first.connect(clientID, from: first.socket())) == [])
    }

    @Test("How far a history has come is not forgotten for what is retained", arguments: [true, false])
    func plainlyInBetween(isKilled: Bool) throws {
        let store = RememberingStore()
        let first = try Self.harness(on: store)
        Self.publishRetainingLast(1...1200, on: first)
        let (peer, clientID) = first.open()
        first.readsPromptly = false
        #expect(Self.numbers(Self.subscribe(clientID, from: peer, on: first)) == Array(1...512))
        #expect(Self.numbers(first.connect(clientID, from: peer)) == Array(513...1024))
        first.advance(by: .seconds(60))
        first.connect(clientID, from: peer)
        Self.subscribe(clientID, replay: nil, from: peer, on: first)
        first.advance(by: .seconds(2))
        first.close(peer)
        let second = try isKilled ? Self.harness(on: store) : first
        second.readsPromptly = true
        #expect(Self.numbers(second.connect(clientID, from: second.socket())) == Array(1025...1200))
    }

    @Test(
        "A broker that stops has sent what the client has taken; a retained message before that is no history",
        arguments: [false, true], [false, true])
    func stop(isRetainedSentBefore: Bool, isTaken: Bool) throws {
        let store = RememberingStore()
        let first = try Self.harness(on: store)
        Self.publishRetainingLast(1...1200, on: first)
        let (peer, clientID) = first.open()
        if isRetainedSentBefore {
            #expect(Self.numbers(Self.subscribe(clientID, replay: nil, from: peer, on: first)) == [1200])
        }
        first.readsPromptly = false
        #expect(Self.numbers(Self.subscribe(clientID, from: peer, on: first)).count == 512)
        if isTaken { first.shutDown(takenBy: peer) } else { first.shutDown() }
        let second = try Self.harness(on: store)
        let rest = isTaken ? 513...1200 : 1...1200
        #expect(Self.numbers(second.connect(clientID, from: second.socket())) == Array(rest))
    }

    @Test(
        "That less has arrived, written down late, says nothing of the whole history, which was asked for since",
        arguments: [[nil], [nil, 5]] as [[Int?]])
    func lateNote(replays: [Int?]) throws {
        let store = RememberingStore()
        let first = try Self.harness(on: store)
        Self.publishRetainingLast(1...1200, on: first)
        let (peer, clientID) = first.open()
        for replay in replays { Self.subscribe(clientID, replay: replay, from: peer, on: first) }
        for _ in 1...2 { first.connect(clientID, from: peer, timeout: 0) }
        first.readsPromptly = false
        #expect(Self.numbers(Self.subscribe(clientID, from: peer, on: first)) == Array(1...512))
        first.advance(by: .seconds(2))
        let second = try Self.harness(on: store)
        #expect(Self.numbers(second.connect(clientID, from: second.socket())) == Array(1...1200))
    }

    @Test("A history that has arrived is over also when what is retained arrives before that is written down")
    func noteOfBoth() throws {
        let store = RememberingStore()
        let first = try Self.harness(on: store)
        Self.publishRetainingLast(1...10, on: first)
        let (peer, clientID) = first.open()
        for replay in [-2, nil] {
            Self.subscribe(clientID, replay: replay, from: peer, on: first)
            for _ in 1...2 { first.connect(clientID, from: peer, timeout: 0) }
        }
        first.advance(by: .seconds(2))
        #expect(store.sessions.first?.replays == [:])
        let second = try Self.harness(on: store)
        #expect(Self.numbers(second.connect(clientID, from: second.socket())) == [])
    }

    @Test("The same with live messages between them, which the store counts to the history")
    func noteOfBothWithLive() throws {
        let store = RememberingStore()
        let first = try Self.harness(on: store)
        Self.publishRetainingLast(1...10, on: first)
        let (peer, clientID) = first.open()
        Self.subscribe(clientID, from: peer, on: first)
        for _ in 1...2 { first.connect(clientID, from: peer, timeout: 0) }
        Self.publish(11...12, on: first)
        Self.subscribe(clientID, replay: nil, from: peer, on: first)
        // The history is written down, then that what is retained has arrived.
        first.advance(by: .seconds(2))
        for _ in 1...2 { first.connect(clientID, from: peer, timeout: 0) }
        first.advance(by: .seconds(2))
        #expect(store.sessions.first?.replays == [:])
    }

    @Test("Two replays and what was missed of what was live come in the order of the log")
    func order() throws {
        let store = RememberingStore()
        let first = try Self.harness(on: store)
        Self.publish(1...10, on: first)
        Self.publish(11...20, on: first, to: "/h/b")
        let (peer, clientID) = first.open()
        Self.subscribe(clientID, to: "/h/c", replay: nil, from: peer, on: first)
        Self.publish(21...22, on: first, to: "/h/c")
        Self.subscribe(clientID, to: "/h/b", from: peer, on: first)
        Self.publish(23...24, on: first, to: "/h/c")
        Self.subscribe(clientID, to: "/h/a", from: peer, on: first)
        Self.publish(25...26, on: first, to: "/h/a")
        let second = try Self.harness(on: store)
        let numbers = Self.numbers(second.connect(clientID, from: second.socket()))
        #expect(numbers == [21, 22] + Array(11...20) + [23, 24] + Array(1...10) + [25, 26])
    }

    @Test("A subscription that was taken back is not replayed; one that asks again gets what it asked for at first")
    func changes() throws {
        let store = RememberingStore()
        let first = try Self.harness(on: store)
        Self.publish(1...10, on: first)
        Self.publish(11...20, on: first, to: "/h/b")
        let (peer, clientID) = first.open()
        Self.subscribe(clientID, to: "/h/a", replay: 5, from: peer, on: first)
        Self.subscribe(clientID, to: "/h/b", from: peer, on: first)
        first.unsubscribe(clientID, from: "/h/b", over: peer)
        Self.subscribe(clientID, to: "/h/a", replay: 8, from: peer, on: first)
        let second = try Self.harness(on: store)
        #expect(Self.numbers(second.connect(clientID, from: second.socket())) == Array(6...10))
    }

    @Test(
        "Replays that have become one are one behind a restart as well: in order, and with acknowledgements once",
        arguments: [true, false])
    func joined(acknowledges: Bool) throws {
        let store = RememberingStore()
        let first = try Self.harness(on: store)
        for number in 1...600 {
            Self.publish(2 * number - 1...2 * number - 1, on: first)
            Self.publish(2 * number...2 * number, on: first, to: "/h/b")
        }
        var client = Client(acknowledges: acknowledges, harness: first, peer: first.socket())
        client.shakeHands()
        client.take(client.connect())
        first.readsPromptly = false
        let points: [(pattern: String, replay: JSON)] = [("/h/*", 600), ("/h/b", -2)]
        let subscribes: [JSON] = points.map { point in
            [
                "channel": "/meta/subscribe", "clientId": .string(client.clientID),
                "subscription": .string(point.pattern), "ext": ["replay": .object([point.pattern: point.replay])],
            ]
        }
        client.take(first.send(subscribes, from: client.peer))
        if acknowledges { client.take(client.connect()) }
        let wanted = (1...1200).filter { $0 > 600 || $0 % 2 == 0 }
        #expect(client.received == Array(wanted[..<512]))

        client.harness = try Self.harness(on: store)
        client.peer = client.harness.socket()
        if !acknowledges { client.received = [] }
        for _ in 1...5 { client.take(client.connect()) }
        #expect(client.received == wanted)
        client.harness.advance(by: .seconds(2))
        if acknowledges { #expect(store.sessions.first?.replays == [:]) }
    }

    @Test("What a client of before the restart has of one replay is not taken for what it has of those that join it")
    func joinedLater() throws {
        let store = RememberingStore()
        let first = try Self.harness(on: store)
        Self.publish(1...600, on: first)
        var client = Client(acknowledges: true, harness: first, peer: first.socket())
        client.shakeHands()
        client.take(client.connect())
        client.subscribe(to: "/h/a", replay: 50)
        client.take(client.connect())
        #expect(client.received == Array(51...562))

        client.harness = try Self.harness(on: store)
        client.peer = client.harness.socket()
        // The client has not said how much it has of the first one.
        client.subscribe(to: "/h/*", replay: -2)
        for _ in 1...8 { client.take(client.connect()) }
        #expect(client.received == Array(51...600) + Array(1...600))
    }

    @Test("What a client has of a replay of before says nothing of one that began since")
    func newReplay() throws {
        let store = RememberingStore()
        let first = try Self.harness(on: store)
        Self.publish(1...10, on: first)
        Self.publish(11...20, on: first, to: "/h/b")
        var client = Client(acknowledges: true, harness: first, peer: first.socket())
        client.shakeHands()
        client.take(client.connect())
        client.subscribe(to: "/h/a", replay: -2)
        // The second of these says that all has come; its answer still bears a number of the replay.
        for _ in 1...2 { client.take(client.connect()) }
        #expect(client.received == Array(1...10))
        #expect(store.sessions.first?.replays == [:])

        client.harness = try Self.harness(on: store)
        client.peer = client.harness.socket()
        client.subscribe(to: "/h/b", replay: -2)
        for _ in 1...3 { client.take(client.connect()) }
        #expect(client.received == Array(1...20))
    }
}

/// Random clients that acknowledge, or do not, whose broker is killed and whose connections swallow answers.
@Suite("Killed at random")
struct KilledReplayRandomTests {
    private static let channels = ["/h/a", "/h/b", "/h/c"]

    @Test(
        "Nothing is lost; with acknowledgements nothing comes twice, without them only behind a reconnection",
        arguments: [true, false], 21...26)
    func random(acknowledges: Bool, seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let store = RememberingStore()
        var policies = ChannelPolicies()
        policies[try ChannelPattern("/h/**", grammar: .faye, maximumBytes: 100)] = ChannelPolicy(historyCount: 5000)
        var limits = Limits()
        limits.queuedMessages = 50
        func start() throws -> RouterHarness {
            let harness = try RouterHarness(limits: limits, policies: policies, sessions: store.sessions, store: store)
            harness.readsPromptly = false
            return harness
        }
        var published: [(channel: String, sequence: Int)] = []
        func publish(_ count: Int, on harness: RouterHarness) {
            let publisher = harness.socket()
            for _ in 0..<count {
                let channel = Self.channels.randomElement(using: &random) ?? ""
                published.append((channel, published.count + 1))
                harness.publish(1, to: channel, from: publisher)
            }
        }
        let first = try start()
        publish(1200, on: first)
        var client = Client(acknowledges: acknowledges, harness: first, peer: first.socket())
        client.shakeHands()
        client.take(client.connect())
        client.subscribe(to: Self.channels[0], replay: -2)

        var left: Set<String> = []
        func check(_ before: Int) {
            let new = client.received[before...]
            #expect(Set(new).count == new.count, "twice over one connection")
        }
        var before = 0
        func reconnect() {
            if !acknowledges {
                check(before)
                before = client.received.count
            }
            client.peer = client.harness.socket()
        }
        for _ in 0..<60 {
            switch Int.random(in: 0..<12, using: &random) {
            case 0: publish(Int.random(in: 1...30, using: &random), on: client.harness)
            case 1:
                let others = Self.channels.filter { client.subscribed[$0] == nil && !left.contains($0) }
                guard let channel = others.first else { break }
                client.subscribe(to: channel, replay: Int.random(in: 0...1000, using: &random))
            case 2: client.harness.advance(by: .milliseconds(1500))
            case 3:
                // The broker is killed; what was on its way may have arrived or not.
                if Bool.random(using: &random) { client.take(client.harness.take(client.peer)) }
                client.harness = try start()
                reconnect()
                _ = acknowledges ? client.connect() : []
                if !acknowledges { client.take(client.connect()) }
            case 4:
                // The connection is lost, with what was on it or not.
                if Bool.random(using: &random) { client.take(client.harness.take(client.peer)) }
                client.harness.close(client.peer)
                reconnect()
                client.take(client.connect())
            case 5 where acknowledges:
                // The answer is swallowed.
                _ = client.connect()
            case 6: client.take(client.harness.take(client.peer))
            case 7, 8: client.harness.drain()
            case 9:
                // The others' replays go on, also behind an answer that was swallowed.
                guard client.subscribed.count > 1,
                    let channel = client.subscribed.keys.sorted().randomElement(using: &random)
                else { break }
                client.unsubscribe(from: channel)
                left.insert(channel)
                client.take(client.connect())
            default: client.take(client.connect())
            }
        }
        for _ in 0..<40 {
            client.harness.drain()
            client.take(client.connect())
            client.take(client.harness.take(client.peer))
        }
        check(before)
        let expected = published.filter { publication in
            client.subscribed[publication.channel].map { publication.sequence > $0 } ?? false
        }.map(\.sequence)
        let received = client.received.filter { !left.contains(published[$0 - 1].channel) }
        #expect(Set(received) == Set(expected))
        if acknowledges { #expect(received.count == expected.count, "twice in spite of acknowledgements") }
    }
}

/// A client that may acknowledge, and keeps the sequence numbers of what it gets.
private struct Client {
    let acknowledges: Bool
    var harness: RouterHarness
    var peer: Peer
    var clientID = ""
    var batch = -1
    var subscribed: [String: Int] = [:]
    var received: [Int] = []

    mutating func shakeHands() {
        let message: JSON = [
            "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"],
            "ext": acknowledges ? ["ack": true] : [:],
        ]
        for case .reply(let reply) in harness.send([message], from: peer) {
            clientID = reply["clientId"]?.text ?? ""
        }
    }

    /// Reads what has come.
    mutating func take(_ events: [RouterHarness.Event]) {
        for event in events {
            switch event {
            case .push(let message):
                if case .number(let number)? = message["ext"]?["seq"] { received.append(Int(number)) }
            case .reply(let reply):
                if case .number(let number)? = reply["ext"]?["ack"] { batch = Int(number) }
            default: break
            }
        }
    }

    /// Sends a connect, or with `timeout` 0 one that is answered at once; what came of it.
    func connect() -> [RouterHarness.Event] {
        var message: [String: JSON] = [
            "channel": "/meta/connect", "clientId": .string(clientID), "connectionType": "websocket",
        ]
        if acknowledges {
            message["ext"] = ["ack": .number(Double(batch))]
            message["advice"] = ["timeout": 0]
        }
        return harness.send([.object(message)], from: peer)
    }

    /// Unsubscribes, and reads what comes with the answer.
    mutating func unsubscribe(from channel: String) {
        subscribed[channel] = nil
        take(harness.unsubscribe(clientID, from: .string(channel), over: peer))
    }

    /// Subscribes, and reads what comes with the answer.
    mutating func subscribe(to channel: String, replay: Int) {
        subscribed[channel] = replay
        take(
            harness.send(
                [
                    [
                        "channel": "/meta/subscribe", "clientId": .string(clientID),
                        "subscription": .string(channel),
                        "ext": ["replay": [channel: .number(Double(replay))]],
                    ]
                ], from: peer))
    }
}
