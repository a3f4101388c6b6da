import BrokerCore
import Metrics

/// What the store tells of itself (swift-metrics); durations in seconds.
struct StoreMetrics {
    private let commitDuration = Timer(label: "fanfare_store_commit_duration_seconds")
    private let commitOperations = Recorder(label: "fanfare_store_commit_messages")
    private let checkpointDuration = Timer(label: "fanfare_store_checkpoint_duration_seconds")
    private let failures = Dictionary(
        uniqueKeysWithValues: StoreError.Kind.allCases.map { kind in
            (kind, Counter(label: "fanfare_store_errors_total", dimensions: [("kind", kind.rawValue)]))
        })

    /// A batch was committed, or was not.
    func recordCommit(count: Int, duration: Duration) {
        commitOperations.record(count)
        commitDuration.recordNanoseconds(duration.nanoseconds)
    }

    func recordCheckpoint(duration: Duration) {
        checkpointDuration.recordNanoseconds(duration.nanoseconds)
    }

    /// So many operations were not carried out.
    func recordFailures(_ kind: StoreError.Kind, count: Int) {
        failures[kind]?.increment(by: count)
    }
}

extension Duration {
    fileprivate var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
