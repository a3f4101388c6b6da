import BrokerCore
import BrokerStore
import Dispatch
import Foundation
import Synchronization

/// A folder of its own, gone with the test.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "fanfare-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}

/// A clock that stands still until it is moved.
final class TestClock: Sendable {
    private let time = Mutex<Int64>(0)

    var now: Int64 {
        get { time.withLock { $0 } }
        set { time.withLock { $0 = newValue } }
    }
}

/// The stores that there are.
enum StoreKind: CaseIterable, Sendable {
    case memory, sqlite
}

/// A store, and the outcomes it hands over from whatever thread.
final class OpenedStore: Sendable {
    let store: any Store
    let state: StoredState
    private let arrived: OutcomeLog

    /// Opens a store of either kind; one in a file lies in `folder`.
    convenience init(_ kind: StoreKind, in folder: TemporaryFolder) throws {
        switch kind {
        case .memory: try self.init(MemoryStore(epoch: "e1"))
        case .sqlite: try self.init(path: folder.file("fanfare.db"))
        }
    }

    /// Opens a store in a file.
    convenience init(path: String, epoch: String = "e1") throws {
        try self.init(SQLiteStore(path: path, options: StoreOptions(wall: { 0 }) { epoch }))
    }

    init(_ store: any Store) throws {
        let arrived = OutcomeLog()
        self.arrived = arrived
        self.store = store
        state = try store.open { outcomes in arrived.append(outcomes) }
    }

    /// Submits operations and waits for as many outcomes.
    func submit(_ operations: [StoreOperation]) -> [StoreOutcome] {
        store.submit(operations)
        return arrived.next(operations.count)
    }

    /// Carries out operations one by one where the order is not the store's: what reads sees all that came before. The
    /// outcome of a subscription is what it brings of the past.
    func run(_ operations: [StoreOperation]) -> [StoreOutcome] {
        operations.flatMap { operation -> [StoreOutcome] in
            let outcomes = submit([operation])
            guard case .subscribe(let ticket, _, let items, let wall) = operation,
                case .subscribed(_, let through, let hasPast)? = outcomes.first,
                let backlog = backlog(of: items, through: through, wall: wall)
            else { return outcomes }
            // What it says at a glance may be too much, for what has grown too old, and never too little.
            precondition(hasPast || backlog == Backlog(), "Cannot have \(backlog) when there is no past")
            return [.backlog(ticket, backlog)]
        }
    }

    /// The outcomes that have arrived and were not asked for.
    func rest() -> [StoreOutcome] { arrived.rest() }

    /// The next outcomes, once so many have arrived.
    func next(_ count: Int) -> [StoreOutcome] { arrived.next(count) }
}

/// Outcomes in the order in which they were handed over; notices two calls at a time.
private final class OutcomeLog: Sendable {
    private let outcomes = Mutex<[StoreOutcome]>([])
    private let isBusy = Atomic(false)
    private let count = DispatchSemaphore(value: 0)

    func append(_ more: [StoreOutcome]) {
        precondition(!isBusy.exchange(true, ordering: .acquiringAndReleasing), "Cannot take two calls at a time")
        outcomes.withLock { $0 += more }
        isBusy.store(false, ordering: .releasing)
        for _ in more { count.signal() }
    }

    /// Waits for `count` outcomes; fewer come back when the store does not answer for a minute.
    func next(_ count: Int) -> [StoreOutcome] {
        var arrivedCount = 0
        while arrivedCount < count, self.count.wait(timeout: .now() + 60) == .success { arrivedCount += 1 }
        return outcomes.withLock { outcomes in
            defer { outcomes.removeFirst(arrivedCount) }
            return Array(outcomes.prefix(arrivedCount))
        }
    }

    func rest() -> [StoreOutcome] { outcomes.withLock { $0 } }
}

func name(_ text: String) throws -> ChannelName { try ChannelName(text, grammar: .cometd, maximumBytes: 100) }

func patterns(_ texts: String...) throws -> [ChannelPattern] {
    try texts.map { try ChannelPattern($0, grammar: .cometd, maximumBytes: 100) }
}

func draft(
    _ channel: String, _ data: String, _ retention: PublicationDraft.Retention = .replace, expiresAt: Int64? = nil
) throws -> PublicationDraft {
    PublicationDraft(
        channel: try name(channel), data: Array(data.utf8), retention: retention, publishedAt: 1000,
        expiresAt: expiresAt)
}

func stored(_ sequence: UInt64, _ channel: String, _ data: String) throws -> StoredPublication {
    StoredPublication(sequence: sequence, channel: try name(channel), data: Array(data.utf8))
}

/// What most tests are about: patterns without a wish for history, and retained messages.
extension StoreOperation {
    static func subscribe(_ ticket: StoreTicket, clientID: String, patterns: [ChannelPattern], wall: Int64) -> Self {
        .subscribe(ticket, .init(clientID: clientID), patterns.map { SubscriptionItem($0) }, wall: wall)
    }
}

extension OpenedStore {
    /// All that is to be read of the past, page by page; nil if the store says something else.
    func backlog(of items: [SubscriptionItem], through: UInt64 = .max, limit: Int = 1_000, wall: Int64 = 0) -> Backlog?
    {
        let request = BacklogRequest(items: items, through: through, limit: limit, wall: wall)
        var whole = Backlog()
        var operation = StoreOperation.readBacklog(1, request)
        while true {
            guard case .backlog(1, let page)? = run([operation]).first else { return nil }
            whole.entries += page.entries
            whole.losses += page.losses
            guard let rest = page.rest else { return whole }
            operation = .readOn(1, rest)
        }
    }
}

extension StoreOutcome {
    static func retained(_ ticket: StoreTicket, _ publications: [StoredPublication]) -> Self {
        .backlog(ticket, Backlog(entries: publications.map { .init($0, isRetained: true) }))
    }
}

extension Backlog {
    var publications: [StoredPublication] { entries.map(\.publication) }
}
