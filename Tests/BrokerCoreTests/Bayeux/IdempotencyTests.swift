import Support
import Testing

@testable import BrokerCore

@Suite("Publications with an Idempotency-Key")
struct IdempotencyTests {
    private static func options(_ key: String, retain: Bool = false) -> PublishOptions {
        var options = PublishOptions(retain: retain)
        options.idempotencyKey = key
        return options
    }

    private static func receipt(_ events: [RouterHarness.Event]) -> PublishReceipt? {
        guard case .receipt(.success(let receipt))? = events.first, events.count == 1 else { return nil }
        return receipt
    }

    @Test("One that is sent again is delivered once and gets the same receipt", arguments: [false, true])
    func again(retain: Bool) throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/**", from: peer)
        var receipts: [PublishReceipt?] = []
        for _ in 0..<3 {
            let events = try harness.publishOverHTTP(
                1, to: "/a", options: Self.options("k", retain: retain), from: harness.exchange())
            receipts.append(Self.receipt(events))
        }
        #expect(receipts[0] != nil)
        #expect(Set(receipts.map { $0?.id }).count == 1)
        #expect(receipts[0] == receipts[2])
        #expect(harness.take(peer).count == 1)
    }

    @Test("Another key, another channel or no key is another publication")
    func others() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/**", from: peer)
        _ = try harness.publishOverHTTP(1, to: "/a", options: Self.options("k"), from: harness.exchange())
        _ = try harness.publishOverHTTP(2, to: "/a", options: Self.options("l"), from: harness.exchange())
        _ = try harness.publishOverHTTP(3, to: "/b", options: Self.options("k"), from: harness.exchange())
        _ = try harness.publishOverHTTP(4, to: "/a", from: harness.exchange())
        _ = try harness.publishOverHTTP(5, to: "/a", from: harness.exchange())
        #expect(harness.take(peer).count == 5)
    }

    @Test("What has the key of other data is refused, and may come with another one", arguments: [false, true])
    func otherData(retain: Bool) throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/**", from: peer)
        let options = Self.options("k", retain: retain)
        if retain { harness.storeMode = .held }
        let exchange = harness.exchange()
        var first = try harness.publishOverHTTP(1, to: "/a", options: options, from: exchange)
        // While the first one is under way, too.
        for _ in 0..<2 {
            let second = try harness.publishOverHTTP(2, to: "/a", options: options, from: harness.exchange())
            guard case .receipt(.failure(let error))? = second.first else { return #expect(Bool(false), "\(second)") }
            #expect(error.wire == "422::The Idempotency-Key stands for other data")
            harness.runStore()
        }
        first += harness.take(exchange)
        #expect(Self.receipt(first) != nil)
        let again = try harness.publishOverHTTP(1, to: "/a", options: options, from: harness.exchange())
        #expect(again == first)
        #expect(harness.take(peer).count == 1)
    }

    @Test("Each subject has keys of its own, whatever token it comes with")
    func subjects() throws {
        let harness = try RouterHarness()
        let (peer, clientID) = harness.open()
        harness.subscribe(clientID, to: "/**", from: peer)
        func publish(_ data: JSON, as subject: String?, _ tokenID: String = "1") throws -> PublishReceipt? {
            harness.caller = Caller(
                principal: subject.map { Principal(subject: $0, tokenID: tokenID, expiresAt: .max) }, isBrowser: false)
            return Self.receipt(
                try harness.publishOverHTTP(data, to: "/a", options: Self.options("1"), from: harness.exchange()))
        }
        let receipts = [try publish(1, as: nil), try publish(2, as: "ann"), try publish(1, as: "bob")]
        #expect(!receipts.contains(nil))
        #expect(Set(receipts.map { $0?.id }).count == 3)
        #expect(try publish(2, as: "ann", "2") == receipts[1])
        #expect(harness.take(peer).count == 3)
    }

    @Test("After a new start keys are still those of their subject, and of their data")
    func restored() throws {
        let channel = try ChannelName("/a", grammar: .faye, maximumBytes: 512)
        func recent(_ subject: String?, of data: JSON?, _ receipt: String) -> StoredState.Recent {
            let fingerprint = data.map { RecentIDs.ID(data: Array($0.description.utf8).span.bytes).value }
            let origin = PublicationOrigin.request(
                key: "k", subject: subject, fingerprint: fingerprint, receipt: receipt)
            return .init(origin: origin, channel: channel, sequence: 1, publishedAt: 1_700_000_000_000)
        }
        // What an older version has stored says nothing of the data.
        let harness = try RouterHarness(recent: [recent("ann", of: 1, "x"), recent(nil, of: nil, "y")])
        func publish(_ data: JSON, as subject: String?) throws -> Result<PublishReceipt, BayeuxError>? {
            harness.caller = Caller(
                principal: subject.map { Principal(subject: $0, expiresAt: .max) }, isBrowser: false)
            let events = try harness.publishOverHTTP(
                data, to: "/a", options: Self.options("k"), from: harness.exchange())
            guard case .receipt(let result)? = events.first else { return nil }
            return result
        }
        #expect(try publish(1, as: "ann")?.get().id == "x")
        #expect(try publish(2, as: "ann") == .failure(.keyOfOtherData))
        #expect(try publish(2, as: nil)?.get().id == "y")
        let other = try publish(2, as: "bob")?.get().id
        #expect(other != nil && other != "x" && other != "y")
    }

    @Test("After the window the key is new")
    func window() throws {
        let harness = try RouterHarness()
        let first = try harness.publishOverHTTP(1, to: "/a", options: Self.options("k"), from: harness.exchange())
        harness.advance(by: .seconds(299))
        let second = try harness.publishOverHTTP(1, to: "/a", options: Self.options("k"), from: harness.exchange())
        #expect(first == second)
        harness.advance(by: .seconds(2))
        let third = try harness.publishOverHTTP(1, to: "/a", options: Self.options("k"), from: harness.exchange())
        #expect(first != third)
    }

    @Test("While the first one is in the store the others wait for it")
    func pending() throws {
        let harness = try RouterHarness()
        harness.storeMode = .held
        let peers = [harness.exchange(), harness.exchange(), harness.exchange()]
        for peer in peers {
            #expect(
                try harness.publishOverHTTP(1, to: "/a", options: Self.options("k", retain: true), from: peer) == [])
        }
        // One of those that wait gives up.
        harness.close(peers[1])
        harness.storeMode = .prompt
        harness.runStore()
        #expect(Self.receipt(harness.take(peers[0])) == Self.receipt(harness.take(peers[2])))
        #expect(harness.unreleasedCount == 0)
    }

    @Test("One that was refused can be tried again")
    func refused() throws {
        let harness = try RouterHarness()
        harness.storeMode = .failing
        let options = Self.options("k", retain: true)
        let first = try harness.publishOverHTTP(1, to: "/a", options: options, from: harness.exchange())
        guard case .receipt(.failure(let error))? = first.first else { return #expect(Bool(false)) }
        #expect(error.code == 407)
        harness.storeMode = .prompt
        let second = try harness.publishOverHTTP(1, to: "/a", options: options, from: harness.exchange())
        #expect(Self.receipt(second)?.sequence == 1)
    }

    @Test("The window begins with the publication that was taken, not with one that was refused before")
    func windowAfterRefusal() throws {
        let harness = try RouterHarness()
        let options = Self.options("k", retain: true)
        harness.storeMode = .failing
        _ = try harness.publishOverHTTP(1, to: "/a", options: options, from: harness.exchange())
        harness.storeMode = .prompt
        harness.advance(by: .seconds(200))
        let taken = try harness.publishOverHTTP(1, to: "/a", options: options, from: harness.exchange())
        harness.advance(by: .seconds(200))
        _ = try harness.publishOverHTTP(1, to: "/a", options: Self.options("other"), from: harness.exchange())
        let again = try harness.publishOverHTTP(1, to: "/a", options: options, from: harness.exchange())
        #expect(Self.receipt(taken) != nil)
        #expect(taken == again)
    }

    @Test("Keys are bounded, also while all are refused or undecided")
    func bound() throws {
        let channel = try ChannelName("/a", grammar: .faye, maximumBytes: 512)
        let (now, count) = (Moment(monotonic: 1, wall: 1), IdempotencyKeys.maximumCount)
        func key(_ number: Int) -> IdempotencyKeys.Key { .init(channel: channel, subject: nil, text: "\(number)") }
        var keys = IdempotencyKeys()
        keys.begin(key(0), of: 1, now: now, window: .seconds(1))
        for number in 1...count + 10 {
            keys.begin(key(number), of: 1, now: now, window: .seconds(1))
            _ = keys.finish(key(number), .failure(.tooMany("operations")))
        }
        #expect(keys.deadlineCount == count)
        // One of which the place is gone is forgotten when it is decided.
        guard case .pending? = keys[key(0)] else { return #expect(Bool(false)) }
        let receipt = PublishReceipt(id: "x", channel: channel, sequence: nil, matchedCount: 0)
        _ = keys.finish(key(0), .success(receipt))
        #expect(keys[key(0)] == nil)
    }

    @Test("Who uses up the places loses keys, and not who has few", arguments: ["mallory", nil])
    func places(subject: String?) throws {
        let channel = try ChannelName("/a", grammar: .faye, maximumBytes: 512)
        let (now, count) = (Moment(monotonic: 1, wall: 1), IdempotencyKeys.maximumCount)
        let receipt = PublishReceipt(id: "x", channel: channel, sequence: nil, matchedCount: 0)
        var keys = IdempotencyKeys()
        func take(_ text: String, of subject: String?) -> IdempotencyKeys.Key {
            let key = IdempotencyKeys.Key(channel: channel, subject: subject, text: text)
            keys.begin(key, of: 1, now: now, window: .seconds(1))
            _ = keys.finish(key, .success(receipt))
            return key
        }
        let few = take("few", of: "alice")
        let first = take("first", of: subject)
        // So many that what has lost its place is cleared away, too.
        var last = first
        for number in 0..<2 * count + 10 { last = take("\(number)", of: subject) }
        #expect(keys.deadlineCount == count)
        #expect(keys[few] != nil)
        #expect(keys[first] == nil)
        #expect(keys[last] != nil)
        #expect(keys.isTaken(few, by: 2))
        keys.advance(to: Moment(monotonic: 1_000_000_001, wall: 1_001))
        #expect(keys.deadlineCount == 0)
        #expect(keys[few] == nil)
        #expect(keys[last] == nil)
    }

    @Test("Where nobody has many, the oldest of all goes")
    func placesOfMany() throws {
        let channel = try ChannelName("/a", grammar: .faye, maximumBytes: 512)
        let (now, count) = (Moment(monotonic: 1, wall: 1), IdempotencyKeys.maximumCount)
        func key(_ number: Int) -> IdempotencyKeys.Key { .init(channel: channel, subject: "\(number)", text: "k") }
        var keys = IdempotencyKeys()
        for number in 0...count {
            keys.begin(key(number), of: 1, now: now, window: .seconds(1))
            let receipt = PublishReceipt(id: "x", channel: channel, sequence: nil, matchedCount: 0)
            _ = keys.finish(key(number), .success(receipt))
        }
        #expect(keys.deadlineCount == count)
        #expect(keys[key(0)] == nil)
        #expect(keys[key(1)] != nil)
    }
}
