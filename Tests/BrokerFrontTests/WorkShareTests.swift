import BrokerCore
import BrokerFront
import Dispatch
import Testing

/// The share of an event loop's time that one address may have. None of it is about how fast this machine is: something
/// always takes longer than a nanosecond.
@Suite("Shares of a loop's time", .timeLimit(.minutes(10)))
struct WorkShareTests {
    private static let waits = #"fanfare_rate_limited_total{limit="work"} "#

    private func configure(_ configuration: inout BrokerConfiguration) {
        configuration.limits.rates.workPerAddress = Rate(1, per: .seconds(3600), burst: 1)
        configuration.trust.ranges = [AddressRange("127.0.0.1")].compactMap { $0 }
        configuration.metrics = .all
    }

    /// How often somebody had to wait.
    private func waitCount(at broker: TestBroker) async throws -> Int {
        let metrics = try await broker.connect().request("GET", "/metrics").body.split(separator: "\n")
        let line = try #require(metrics.first { $0.hasPrefix(Self.waits) })
        return Int(line.dropFirst(Self.waits.count)) ?? 0
    }

    @Test
    func oneAddressWaitsAndOthersDoNot() async throws {
        var free = BrokerConfiguration()
        configure(&free)
        free.allowedHosts = ["*"]
        free.limits.rates.workPerAddress = nil
        try await TestBroker.run(threads: 1, { configure(&$0) }) { broker in
            let first = ("X-Forwarded-For", "203.0.113.1")
            let socket = try await broker.connect()
            let sent = try await socket.request("POST", "/channels/a", headers: [first], body: "1")
            #expect(sent.status == 200)
            #expect(try await waitCount(at: broker) == 0)
            // On another connection, as well: it is the address that has had its share.
            let other = try await broker.connect()
            for socket in [socket, other] {
                try await socket.send(TestSocket.request("POST", "/channels/a", headers: [first], body: "2"))
            }
            while try await waitCount(at: broker) < 2 { await Task.yield() }
            let second = ("X-Forwarded-For", "203.0.113.2")
            let answer = try await broker.connect().request("POST", "/channels/a", headers: [second], body: "3")
            #expect(answer.status == 200)
            // What waited is not lost.
            try await broker.server.reload(free)
            for socket in [socket, other] { #expect(try await socket.readAnswer().status == 200) }
        }
    }

    /// However rested an address is, all its connections together have a slice or so, and then others have their turn.
    @Test
    func restedAddressLetsOthersIn() throws {
        let (one, other) = (try #require(IPAddress("203.0.113.1")), try #require(IPAddress("203.0.113.2")))
        var shares = WorkShares(RateLimits())
        shares.charge(one, 200_000, now: 1_000_000_000)
        #expect(shares.turnWait(of: one, now: 1_000_200_000) == 0)
        shares.charge(one, 500_000, now: 1_000_200_000)
        let wait = shares.turnWait(of: one, now: 1_000_700_000)
        #expect(wait == 200_000)
        #expect(shares.turnWait(of: one, now: 1_000_700_000 + wait) == 0)
        #expect(shares.turnWait(of: other, now: 1_000_700_000) == 0)
        #expect(shares.wait(of: one, now: 1_000_700_000) == 0)
    }

    /// A rate above a half of the loop's time is what it says, also in turns; and no turn is waited for without looking again.
    @Test
    func turnsLeaveTheRate() throws {
        let address = try #require(IPAddress("203.0.113.1"))
        let now: UInt64 = 1_000_000_000
        var limits = RateLimits()
        limits.workPerAddress = Rate(60_000_000_000, per: .seconds(60), burst: 50_000_000)
        var shares = WorkShares(limits)
        shares.charge(address, 10_000_000, now: now)
        // A quarter of a millisecond of it is free.
        #expect(shares.turnWait(of: address, now: now) == 9_750_000)
        limits.workPerAddress = Rate(100_000_000, burst: 50_000_000)
        shares.set(limits)
        shares.charge(address, 500_000, now: now + 10_000_000)
        // From now on, a half of it.
        #expect(shares.turnWait(of: address, now: now + 10_000_000) == 500_000)
        shares.charge(address, 10_000_000_000, now: now + 10_000_000)
        #expect(shares.turnWait(of: address, now: now + 10_000_000) == 1_000_000_000)
    }

    /// A process that stood still for a minute has not worked for an address all that time.
    @Test
    func standstillIsNobodysWork() throws {
        let address = try #require(IPAddress("203.0.113.1"))
        var (router, shares) = (TimeShares(RateLimits()), WorkShares(RateLimits()))
        router.charge(address, 60_000_000_000, now: 0)
        #expect(router.debt(of: address, now: 0) <= 4_000_000_000)
        shares.charge(address, 60_000_000_000, now: 0)
        #expect(shares.wait(of: address, now: 4_000_000_000) == 0)
        #expect(shares.turnWait(of: address, now: 2_000_000_000) == 0)
    }

    /// The messages on their way to the router's loop are divided among the loops, and each may have a few.
    @Test(arguments: [(1, 64), (4, 16), (16, 8), (1000, 8)])
    func messagesUnderWay(loopCount: Int, count: Int) throws {
        let address = try #require(IPAddress("203.0.113.1"))
        var shares = WorkShares(RateLimits(), loopCount: loopCount)
        shares.send(count - 1, of: address)
        #expect(!shares.isFull(address))
        shares.send(1, of: address)
        #expect(shares.isFull(address))
        shares.settle(address, for: count, notBefore: 0, now: 1_000_000_000)
        #expect(!shares.isFull(address))
    }

    /// What the router has done for one loop is counted once, however many others there are, and takes nobody's turn there.
    @Test
    func oneOfManyLoopsHasTheWholeShare() throws {
        let address = try #require(IPAddress("203.0.113.1"))
        let now: UInt64 = 1_000_000_000
        var (router, shares) = (TimeShares(RateLimits()), WorkShares(RateLimits(), loopCount: 16))
        shares.send(1, of: address)
        router.charge(address, 10_000_000, now: now)
        let debt = router.debt(of: address, now: now)
        shares.settle(address, for: 1, notBefore: now + debt, now: now)
        #expect(shares.wait(of: address, now: now) == 0)
        #expect(shares.turnWait(of: address, now: now) == 0)
        // 50 ms are free; what is beyond takes four times as long.
        router.charge(address, 50_000_000, now: now)
        let wait = router.debt(of: address, now: now)
        #expect(wait == 40_000_000)
        shares.settle(address, for: 1, notBefore: now + wait, now: now)
        // It is known to the nanosecond, and not added to what was known before.
        shares.settle(address, for: 1, notBefore: now + wait, now: now)
        #expect((wait - 2...wait).contains(shares.wait(of: address, now: now)))
        #expect(shares.wait(of: address, now: now + wait) == 0)
        #expect(shares.turnWait(of: address, now: now) == 0)
    }

    /// Each loop gives an address a share, and all of them together no more of the router's loop than one would.
    @Test(arguments: [1, 4, 16, 1000])
    func routersLoopIsOneForAll(loopCount: Int) throws {
        let address = try #require(IPAddress("203.0.113.1"))
        var router = TimeShares(RateLimits())
        var loops = Array(repeating: WorkShares(RateLimits(), loopCount: loopCount), count: loopCount)
        let (begin, cost): (UInt64, UInt64) = (1_000_000_000, 1_000_000)
        var taken: UInt64 = 0
        // Two seconds in which each loop sends a message every five milliseconds, if it may.
        for now in stride(from: begin, to: begin + 2_000_000_000, by: 5_000_000) {
            for number in loops.indices where loops[number].wait(of: address, now: now) == 0 {
                taken += cost
                router.charge(address, cost, now: now)
                let debt = router.debt(of: address, now: now)
                loops[number].settle(address, for: 1, notBefore: now + debt, now: now)
            }
        }
        // A quarter of the time and the burst, and what each loop sends before it knows: that much they all wait longer.
        let excess = 2 * cost * UInt64(loopCount)
        #expect(taken <= 500_000_000 + 50_000_000 + excess)
    }

    /// All that was sent is done, in the order in which it was sent.
    @Test(arguments: [1, 2])
    func nothingIsLostByWaiting(threads: Int) async throws {
        try await TestBroker.run(
            threads: threads,
            {
                configure(&$0)
                $0.trust.ranges = []
                $0.limits.rates.includesLoopback = true
                $0.limits.rates.workPerAddress = Rate(250_000_000, burst: 1)
            }
        ) { broker in
            let client = try await TestClient.open(at: broker, subscribedTo: "/a")
            let numbers = 0..<500
            let texts = numbers.map { #"{"channel":"/a","id":"\#($0)","data":\#($0)}"# }
            let socket = try await TestWebSocket.open(at: broker)
            try await socket.send(raw: texts.flatMap { TestWebSocket.frame(opcode: 1, Array("[\($0)]".utf8)) })
            for number in numbers { #expect(try await client.delivery().contains(#""data":\#(number)"#)) }
            var replies: [Message] = []
            while replies.count < numbers.count { replies += try Message.all(in: await socket.nextText()) }
            #expect(replies.map(\.id) == numbers.map { "\($0)" })
            #expect(replies.allSatisfy { $0.successful == true })
            #expect(try await waitCount(at: broker) > 0)
        }
    }

    /// A loop reads a message faster than the router sees to it: the router's loop must not find the work of seconds before
    /// it, which the share of the address does not hold because nobody has charged it yet.
    @Test
    func fewMessagesAreOnTheirWayToAnotherLoop() async throws {
        let (events, continuation) = AsyncStream.makeStream(of: String.self)
        let isFree = DispatchSemaphore(value: 0)
        var hooks = BrokerHooks()
        hooks.incoming = { message, _ in
            continuation.yield(String(decoding: message, as: UTF8.self))
            return .unchanged
        }
        hooks.observer = { event in
            guard case .publish(_, "/stop", _) = event else { return }
            continuation.yield("stopped")
            isFree.wait()
        }
        try await TestBroker.run(
            threads: 2, hooks: hooks,
            {
                configure(&$0)
                $0.limits.rates.workPerAddress = RateLimits().workPerAddress
            }
        ) { broker in
            // One of each address on either loop: those on the router's wait for it, and are not heard meanwhile.
            let many = try await [Self.open("203.0.113.1", at: broker), Self.open("203.0.113.1", at: broker)]
            let one = try await [Self.open("203.0.113.2", at: broker), Self.open("203.0.113.2", at: broker)]
            let stopper = try await broker.connect()
            try await stopper.send(TestSocket.request("POST", "/channels/stop", body: "1"))
            var heard = events.makeAsyncIterator()
            while await heard.next() != "stopped" {}
            let message = #"{"channel":"/a","id":"1","data":1}"#
            let other = #"{"channel":"/b","id":"1","data":1}"#
            for socket in many {
                let frame = TestWebSocket.frame(opcode: 1, Array("[\(message)]".utf8))
                try await socket.send(raw: Array(repeating: frame, count: 1000).flatMap { $0 })
            }
            var count = 0
            // Half of 64, for there are two loops.
            while count < 32 { count += await heard.next() == message ? 1 : 0 }
            for socket in one { try await socket.send("[\(other)]") }
            while case let next? = await heard.next(), next != other { count += 1 }
            #expect(count == 32)
            isFree.signal()
            // What waited goes on.
            for socket in many {
                for _ in 0..<1000 { #expect(try await socket.nextText().contains(#""successful":true"#)) }
            }
        }
    }

    private static func open(_ address: String, at broker: TestBroker) async throws -> TestWebSocket {
        let socket = try await TestWebSocket.start(
            over: broker.connect(), headers: [("X-Forwarded-For", address)])
        try await socket.expectOpen()
        return socket
    }
}
