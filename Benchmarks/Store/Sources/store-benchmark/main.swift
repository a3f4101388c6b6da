// What keeping publications costs, beside SQLite alone; how fast a log is read back; how soon a broker is back.
//
//   store-benchmark append|full|history|restart [FOLDER]      default: all of them, in a folder below /tmp

import BrokerCore
import BrokerStore
import Foundation

let arguments = CommandLine.arguments.dropFirst()
let parent = arguments.dropFirst().first ?? NSTemporaryDirectory()
let chosen = arguments.first.map { [$0] } ?? ["append", "full", "history", "restart"]

let data = Array(("\"" + String(repeating: "x", count: 126) + "\"").utf8)
let channels = try (0..<100).map { try ChannelName("/bench/\($0)", grammar: .faye, maximumBytes: 512) }

func store(_ path: String) throws -> LoadedStore {
    try LoadedStore(SQLiteStore(path: path, options: StoreOptions { "epoch" }))
}

func draft(_ number: Int, _ durability: Durability, retain: Bool = false, count: Int = 10_000_000) -> PublicationDraft {
    PublicationDraft(
        channel: channels[number % channels.count], data: data, retention: retain ? .replace : nil,
        history: .init(count: count, until: .max), durability: durability,
        origin: .session(clientID: "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p", fingerprint: UInt64(number)), publishedAt: 0,
        expiresAt: nil)
}

func line(_ name: String, _ cost: Cost, beside other: Cost? = nil) {
    let ratio =
        other.map { String(format: "%6.2f ×", cost.cpu / Double(cost.count) / ($0.cpu / Double($0.count))) } ?? ""
    print(
        name.padding(toLength: 44, withPad: " ", startingAt: 0),
        String(format: "%7.2f µs CPU %9.0f /s", cost.microseconds, cost.perSecond), ratio)
}

/// CPU of a stored publication beside SQLite's own, 1000 in a transaction.
func measureAppending() throws {
    print("\nAppending, 128 bytes, 100 channels, 1000 in a commit; five rounds, medians")
    let count = 200_000
    var (raw, plain, bounded): ([Cost], [Cost], [Cost]) = ([], [], [])
    for _ in 0..<5 {
        let folder = try Folder(in: parent)
        let sqlite = RawSQLite(path: folder.file("raw.db"), synchronous: "NORMAL")
        raw.append(
            Cost(count: count) {
                sqlite.append(count: count, group: 1000, channels: channels.map(\.text), data: data)
            })
        sqlite.close()
        for (limit, isBounded) in [(10_000_000, false), (100, true)] {
            let driver = try store(folder.file("fanfare-\(limit).db"))
            let drafts = (0..<1000).map { draft($0, .normal, count: limit) }
            let cost = Cost(count: count) {
                driver.run(count: count, window: 2000, group: 1000) { .publish(1, drafts[$0 % 1000]) }
            }
            if isBounded { bounded.append(cost) } else { plain.append(cost) }
            driver.store.close()
        }
    }
    line("SQLite alone, one prepared statement", median(raw))
    line("store, histories without bound", median(plain), beside: median(raw))
    line("store, histories of 100: trimmed all the time", median(bounded), beside: median(raw))
}

/// What syncing each commit costs when 256 publications are under way.
func measureSyncing() throws {
    print("\nAcknowledging, 128 bytes, 256 under way, each submitted when one is acknowledged; five rounds, medians")
    let count = 100_000
    var costs: [Durability: [Cost]] = [:]
    for _ in 0..<5 {
        for durability in [Durability.normal, .full] {
            let folder = try Folder(in: parent)
            let driver = try store(folder.file("fanfare.db"))
            let drafts = (0..<1000).map { draft($0, durability) }
            costs[durability, default: []].append(
                Cost(count: count) {
                    driver.run(count: count, window: 256, group: 16) { .publish(1, drafts[$0 % 1000]) }
                })
            driver.store.close()
        }
    }
    let normal = median(costs[.normal] ?? [])
    line("normal", normal)
    line("full", median(costs[.full] ?? []), beside: normal)
}

/// Reading a history back, as a subscriber gets it.
func measureReading() throws {
    print("\nReading back a backlog of 1,000,000 publications, page by page; three rounds")
    let folder = try Folder(in: parent)
    let driver = try store(folder.file("fanfare.db"))
    let drafts = (0..<1000).map { draft($0, .normal) }
    driver.run(count: 1_000_000, window: 4000, group: 1000) { .publish(1, drafts[$0 % 1000]) }
    for pattern in ["/bench/7", "/bench/*"] {
        let item = SubscriptionItem(
            try ChannelPattern(pattern, grammar: .faye, maximumBytes: 512), replay: .everything)
        var costs: [Cost] = []
        for _ in 0..<3 {
            var found = 0
            let (cpu, start) = (cpuSeconds(), Date())
            var operation = StoreOperation.readBacklog(
                1, BacklogRequest(items: [item], through: .max, limit: 10_000_000, wall: 0))
            while case .backlog(_, let page)? = driver.run(operation) {
                found += page.entries.count
                guard let rest = page.rest else { break }
                operation = .readOn(1, rest)
            }
            costs.append(Cost(count: found, wall: Date().timeIntervalSince(start), cpu: cpuSeconds() - cpu))
        }
        line(pattern, median(costs))
    }
    driver.store.close()
}

/// How long a broker with a long past takes to be back, and what it needs for it.
func measureRestart() throws {
    let folder = try Folder(in: parent)
    let path = folder.file("fanfare.db")
    let driver = try store(path)
    let drafts = (0..<1000).map { draft($0, .normal) }
    var logs: [(Int, Double)] = []
    for length in [500_000, 5_000_000] {
        let missing = length - (logs.last?.0 ?? 0)
        driver.run(count: missing, window: 4000, group: 1000) { .publish(1, drafts[$0 % 1000]) }
        logs.append((length, residentMiB()))
    }
    print("\nMemory while the log grows")
    for (length, memory) in logs { print(String(format: "%10d publications: %6.1f MiB", length, memory)) }
    let retained = try (0..<100_000).map {
        PublicationDraft(
            channel: try ChannelName("/retained/\($0)", grammar: .faye, maximumBytes: 512), data: data,
            retention: .replace, publishedAt: 0, expiresAt: nil)
    }
    driver.run(count: retained.count, window: 4000, group: 1000) { .publish(1, retained[$0]) }
    driver.run(count: 10_000, window: 1000, group: 100) { number in
        let items = (0..<10).compactMap {
            try? SubscriptionItem(ChannelPattern("/s/\(number)/\($0)", grammar: .faye, maximumBytes: 512))
        }
        return .subscribe(1, StoredState.Session(clientID: "client-\(number)"), items, wall: 0)
    }
    driver.store.close()
    let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
    print("\nStarting with 10,000 sessions of 10 subscriptions, 100,000 retained messages, a log of 5 million")
    for _ in 0..<3 {
        var opened: LoadedStore?
        let cost = try Cost(count: 1) { opened = try store(path) }
        precondition(opened?.state.sessions.count == 10_000)
        print(
            String(
                format: "%6.2f s to open, %6.2f s CPU, database of %.1f GB", cost.wall, cost.cpu, Double(size) / 1e9))
        opened?.store.close()
    }
}

extension Cost {
    init(count: Int, wall: Double, cpu: Double) {
        self.count = count
        self.wall = wall
        self.cpu = cpu
    }
}

for name in chosen {
    switch name {
    case "append": try measureAppending()
    case "full": try measureSyncing()
    case "history": try measureReading()
    case "restart": try measureRestart()
    default: print("append, full, history or restart")
    }
}
