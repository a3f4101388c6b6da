import BrokerCore
import Dispatch
import Foundation
import Synchronization

/// CPU time of all threads of this process, in seconds.
func cpuSeconds() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Memory of this process that is in use, in MiB.
func residentMiB() -> Double {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0
    return pages * 4096 / 1_048_576
}

/// What something took.
struct Cost {
    let count: Int
    let wall: Double
    let cpu: Double

    /// Runs `body`, which does `count` things.
    init(count: Int, _ body: () throws -> Void) rethrows {
        let (cpu, start) = (cpuSeconds(), DispatchTime.now().uptimeNanoseconds)
        try body()
        self.count = count
        self.wall = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
        self.cpu = cpuSeconds() - cpu
    }

    var microseconds: Double { cpu / Double(count) * 1e6 }
    var perSecond: Double { Double(count) / wall }
}

/// The middle one of several costs, by CPU.
func median(_ costs: [Cost]) -> Cost { costs.sorted { $0.cpu < $1.cpu }[costs.count / 2] }

/// A store with a number of operations under way.
final class LoadedStore: Sendable {
    private let arrived = DispatchSemaphore(value: 0)
    private let last = Mutex<StoreOutcome?>(nil)
    let store: any Store
    let state: StoredState

    init(_ store: any Store) throws {
        self.store = store
        let (arrived, last) = (arrived, Box())
        state = try store.open { outcomes in
            last.set(outcomes.last)
            for outcome in outcomes {
                if case .failed(_, let error) = outcome { preconditionFailure("Cannot go on when \(error)") }
                arrived.signal()
            }
        }
        outcome = last
    }

    private let outcome: Box

    /// Submits operations in groups of `group`, with at most `window` of them under way, and waits for all.
    func run(count: Int, window: Int, group: Int, _ make: (Int) -> StoreOperation) {
        var submitted = 0
        var finished = 0
        while finished < count {
            while submitted < count, submitted - finished <= window - group {
                let end = min(submitted + group, count)
                store.submit((submitted..<end).map(make))
                submitted = end
            }
            arrived.wait()
            finished += 1
            while finished < submitted, arrived.wait(timeout: .now()) == .success { finished += 1 }
        }
    }

    /// The outcome of one operation.
    func run(_ operation: StoreOperation) -> StoreOutcome? {
        store.submit([operation])
        arrived.wait()
        return outcome.get()
    }
}

/// A place for the last outcome.
private final class Box: Sendable {
    private let value = Mutex<StoreOutcome?>(nil)

    func set(_ outcome: StoreOutcome?) { value.withLock { $0 = outcome } }
    func get() -> StoreOutcome? { value.withLock { $0 } }
}

/// A folder that is deleted at the end.
final class Folder {
    let path: String

    init(in parent: String) throws {
        path = parent + "/store-benchmark-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}
