import BrokerCore
import Dispatch
import Support
import Testing

/// A pattern, and which of the names of `StoreBehaviourTests.names` it finds.
private struct PatternRow: Sendable {
    let pattern: String
    let found: [String]
}

/// A store of some kind, and how the random operations go.
private struct RandomRow: Sendable {
    let kind: StoreKind
    let seed: UInt64
}

@Suite("What every store does")
struct StoreBehaviourTests {
    @Test("Outcomes come in the order of the operations, numbers rise by one", arguments: StoreKind.allCases)
    func order(kind: StoreKind) throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(kind, in: folder)
        defer { opened.store.close() }
        #expect(opened.state == StoredState(epoch: "e1", sessions: []))
        let subscription = try patterns("/a")
        #expect(
            opened.run([
                .publish(7, try draft("/a", "1")),
                .pass(3),
                .subscribe(9, clientID: "s", patterns: subscription, wall: 0),
                .publish(1, try draft("/b", "2")),
                .publish(2, try draft("/a", "null", .clear)),
                .readRetained(4, try name("/b"), wall: 0),
                .readRetained(5, try name("/a"), wall: 0),
                .unsubscribe(6, clientID: "s", patterns: subscription),
                .unsubscribe(8, clientID: "nobody", patterns: subscription),
                .endSession(10, clientID: "s"),
                .endSession(11, clientID: "s"),
            ]) == [
                .published(7, sequence: 1), .done(3), .retained(9, [try stored(1, "/a", "1")]),
                .published(1, sequence: 2), .published(2, sequence: 3), .retained(4, [try stored(2, "/b", "2")]),
                .retained(5, []), .done(6), .done(8), .done(10), .done(11),
            ])
    }

    @Test("A subscription in the middle of a batch stands at one point of the log", arguments: StoreKind.allCases)
    func point(kind: StoreKind) throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(kind, in: folder)
        defer { opened.store.close() }
        let items = try patterns("/**").map { SubscriptionItem($0) }
        let outcomes = opened.submit([
            .subscribe(1, .init(clientID: "s"), items, wall: 0), .publish(2, try draft("/a", "1")),
            .publish(3, try draft("/b", "2")), .subscribe(4, nil, items, wall: 0), .publish(5, try draft("/a", "3")),
        ])
        #expect(
            outcomes == [
                .subscribed(1, through: 0, hasPast: false), .published(2, sequence: 1), .published(3, sequence: 2),
                .subscribed(4, through: 2, hasPast: true), .published(5, sequence: 3),
            ])
        // Of what was retained then, one has been replaced since: the new one is live.
        #expect(opened.backlog(of: items, through: 2)?.publications == [try stored(2, "/b", "2")])
    }

    @Test("A retained message is replaced, cleared, and set again", arguments: StoreKind.allCases)
    func replacing(kind: StoreKind) throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(kind, in: folder)
        defer { opened.store.close() }
        let channel = try name("/a")
        for (index, data) in ["1", #""é\u0000""#, "null", "[]"].enumerated() {
            let sequence = UInt64(index + 1)
            let retention: PublicationDraft.Retention = data == "null" ? .clear : .replace
            #expect(
                opened.run([.publish(1, try draft("/a", data, retention)), .readRetained(2, channel, wall: 0)]) == [
                    .published(1, sequence: sequence),
                    .retained(2, data == "null" ? [] : [try stored(sequence, "/a", data)]),
                ])
        }
    }

    @Test("A message whose time is up is not handed out; its successor is", arguments: StoreKind.allCases)
    func timeToLive(kind: StoreKind) throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(kind, in: folder)
        defer { opened.store.close() }
        let channel = try name("/a")
        let all = try patterns("/**")
        #expect(
            opened.run([
                .publish(1, try draft("/a", "1", expiresAt: 5000)),
                .readRetained(2, channel, wall: 4999),
                .subscribe(3, clientID: "s", patterns: all, wall: 4999),
                .readRetained(4, channel, wall: 5000),
                .subscribe(5, clientID: "s", patterns: all, wall: 5000),
                .publish(6, try draft("/a", "2")),
                .readRetained(7, channel, wall: .max),
            ]) == [
                .published(1, sequence: 1), .retained(2, [try stored(1, "/a", "1")]),
                .retained(3, [try stored(1, "/a", "1")]), .retained(4, []), .retained(5, []),
                .published(6, sequence: 2), .retained(7, [try stored(2, "/a", "2")]),
            ])
    }

    /// Names around the slash in the order of bytes, and around the wildcards.
    private static let names = [
        "/a", "/a/b", "/a0", "/a-b", "/a.b", "/a/b/c", "/a/b0", "/a/b-c", "/a/b/c/d", "/A/b", "/a b", "/a!", "/ab",
        "/a/*x", "/a/**x", "/b/a", "/_/b", "/a_b/c", "/a~b",
    ]
    private static let rows = [
        PatternRow(pattern: "/a", found: ["/a"]),
        PatternRow(pattern: "/a/b", found: ["/a/b"]),
        PatternRow(pattern: "/A/b", found: ["/A/b"]),
        PatternRow(pattern: "/a/*", found: ["/a/b", "/a/b0", "/a/b-c", "/a/*x", "/a/**x"]),
        PatternRow(
            pattern: "/a/**", found: ["/a/b", "/a/b/c", "/a/b0", "/a/b-c", "/a/b/c/d", "/a/*x", "/a/**x"]),
        PatternRow(pattern: "/a/b/**", found: ["/a/b/c", "/a/b/c/d"]),
        PatternRow(pattern: "/a/b/*", found: ["/a/b/c"]),
        PatternRow(pattern: "/_/*", found: ["/_/b"]),
        PatternRow(pattern: "/a_b/**", found: ["/a_b/c"]),
        PatternRow(pattern: "/*", found: ["/a", "/a0", "/a-b", "/a.b", "/a b", "/a!", "/ab", "/a~b"]),
        PatternRow(pattern: "/**", found: names),
        PatternRow(pattern: "/c/**", found: []),
    ]

    @Test("Patterns find what they match, in order, and nothing else", arguments: StoreKind.allCases, rows)
    private func pattern(kind: StoreKind, row: PatternRow) throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(kind, in: folder)
        defer { opened.store.close() }
        _ = opened.run(try Self.names.map { .publish(1, try draft($0, "1")) })
        let outcome = opened.run([
            .subscribe(1, clientID: "s", patterns: try patterns(row.pattern), wall: 0)
        ]).first
        guard case .backlog(1, let backlog)? = outcome else {
            Issue.record("\(String(describing: outcome))")
            return
        }
        #expect(backlog.publications.map(\.channel.text) == row.found)
        #expect(backlog.publications.map(\.sequence) == backlog.publications.map(\.sequence).sorted())
    }

    private static let randomRows = StoreKind.allCases.flatMap { kind in
        (1...3).map { RandomRow(kind: kind, seed: $0) }
    }

    @Test("Random operations have the outcomes of a naive store", arguments: randomRows)
    private func random(row: RandomRow) throws {
        var random = SeededGenerator(seed: row.seed)
        var model = NaiveStore()
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(row.kind, in: folder)
        defer { opened.store.close() }
        for _ in 0..<150 {
            let operations = try (0..<Int.random(in: 0...20, using: &random)).map { _ in
                try NaiveStore.operation(using: &random)
            }
            let outcomes = opened.run(operations)
            #expect(outcomes == operations.map { model.apply($0) })
        }
    }

    @Test("Operations from many threads: one call at a time, numbers in order", arguments: StoreKind.allCases)
    func threads(kind: StoreKind) throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(kind, in: folder)
        defer { opened.store.close() }
        let publication = try draft("/a", "1")
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            for step in 0..<250 { opened.store.submit([.publish(UInt64(thread * 1000 + step), publication)]) }
        }
        let outcomes = opened.next(1000)
        let sequences = outcomes.map { outcome -> UInt64 in
            if case .published(_, let sequence) = outcome { sequence } else { 0 }
        }
        #expect(sequences == Array(1...1000))
        for thread in 0..<4 {
            let own = outcomes.map(\.ticket).filter { Int($0) / 1000 == thread }
            #expect(own == (0..<250).map { UInt64(thread * 1000 + $0) })
        }
    }

    @Test("What nobody wants any more is not read", arguments: StoreKind.allCases)
    func unwanted(kind: StoreKind) throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(kind, in: folder)
        defer { opened.store.close() }
        let publication = try draft("/a", "1")
        #expect(opened.submit([.publish(1, publication)]) == [.published(1, sequence: 1)])
        let items = try patterns("/**").map { SubscriptionItem($0) }
        let request = BacklogRequest(items: items, through: 1, limit: 9, wall: 0)
        let interest = ReadInterest()
        let wanted = StoreOutcome.retained(2, [try stored(1, "/a", "1")])
        #expect(opened.submit([.readBacklog(2, request, for: interest)]) == [wanted])
        interest.end()
        #expect(opened.submit([.readBacklog(3, request, for: interest)]) == [.backlog(3, Backlog())])
    }

    @Test("What was submitted before the end is carried out, what comes behind is not", arguments: StoreKind.allCases)
    func closing(kind: StoreKind) throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(kind, in: folder)
        // More than goes into one commit.
        for ticket in 0..<5000 { opened.store.submit([.pass(StoreTicket(ticket))]) }
        opened.store.close()
        #expect(opened.rest() == (0..<5000).map { .done(StoreTicket($0)) })
        opened.store.submit([.pass(5000)])
        #expect(opened.rest().count == 5000)
    }
}

/// The plainest store there is.
private struct NaiveStore {
    private var sequence: UInt64 = 0
    private var retained: [(publication: StoredPublication, expiresAt: Int64?)] = []

    mutating func apply(_ operation: StoreOperation) -> StoreOutcome {
        switch operation {
        case .publish(let ticket, let draft):
            sequence += 1
            retained.removeAll { $0.publication.channel == draft.channel }
            if draft.retention == .replace {
                let publication = StoredPublication(sequence: sequence, channel: draft.channel, data: draft.data)
                retained.append((publication, draft.expiresAt))
            }
            return .published(ticket, sequence: sequence)
        case .subscribe(let ticket, _, let items, let wall):
            return .retained(ticket, find(wall) { name in items.contains { $0.pattern.matches(name) } })
        case .readRetained(let ticket, let channel, let wall):
            return .retained(ticket, find(wall) { $0 == channel })
        case .readHistory(let ticket, _, _, _, _), .readBacklog(let ticket, _, _), .readOn(let ticket, _):
            return .retained(ticket, [])
        case .unsubscribe(let ticket, _, _), .endSession(let ticket, _), .moveCursors(let ticket, _),
            .pass(let ticket), .probe(let ticket):
            return .done(ticket)
        }
    }

    private func find(_ wall: Int64, _ isMatch: (ChannelName) -> Bool) -> [StoredPublication] {
        retained.filter { entry in
            isMatch(entry.publication.channel) && (entry.expiresAt.map { $0 > wall } ?? true)
        }.map(\.publication)
    }

    static func operation(using random: inout SeededGenerator) throws -> StoreOperation {
        func pick<Value>(_ values: [Value]) -> Value { values[Int.random(in: values.indices, using: &random)] }
        let text = (0...Int.random(in: 0...2, using: &random)).map { _ in "/" + pick(["a", "a0", "a-b", "b", "."]) }
            .joined()
        let pattern = text + pick(["", "", "/*", "/**"])
        let ticket = StoreTicket.random(in: 0...UInt64(Int64.max), using: &random)
        let clientID = pick(["s", "t"])
        let wall = Int64.random(in: 0...100, using: &random)
        switch Int.random(in: 0..<12, using: &random) {
        case 0..<5:
            let expiresAt = Bool.random(using: &random) ? nil : Int64.random(in: 0...100, using: &random)
            return .publish(ticket, try draft(text, "\(ticket)", expiresAt: expiresAt))
        case 5: return .publish(ticket, try draft(text, "null", .clear))
        case 6..<9:
            let all = try patterns(pattern, pick(["/**", "/*", "/a/**", "/b"]))
            return .subscribe(ticket, clientID: clientID, patterns: all, wall: wall)
        case 9: return .readRetained(ticket, try name(text), wall: wall)
        case 10: return .unsubscribe(ticket, clientID: clientID, patterns: try patterns(pattern))
        default: return pick([.endSession(ticket, clientID: clientID), .pass(ticket)])
        }
    }
}
