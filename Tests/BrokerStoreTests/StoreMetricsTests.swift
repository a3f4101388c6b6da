import BrokerCore
import BrokerStore
import Foundation
import Metrics
import MetricsTestKit
import Testing

/// What the store counts.
@Suite("The store's metrics", .serialized)
struct StoreMetricsTests {
    /// One for the whole process, as swift-metrics has it; each test looks at what its own store has added.
    private static let metrics: TestMetrics = {
        let metrics = TestMetrics()
        MetricsSystem.bootstrap(metrics)
        return metrics
    }()

    private static func failures(_ kind: StoreError.Kind) throws -> Int64 {
        try metrics.expectCounter("fanfare_store_errors_total", [("kind", kind.rawValue)]).totalValue
    }

    @Test("Commits with their size, and operations that failed by what was wrong")
    func counters() throws {
        let metrics = Self.metrics
        let folder = try TemporaryFolder()
        let path = folder.file("fanfare.db")
        let opened = try OpenedStore(path: path)
        defer { opened.store.close() }
        let before = try Self.failures(.removed)
        _ = opened.submit([.publish(1, try draft("/a", "1")), .publish(2, try draft("/a", "2")), .pass(3)])
        #expect(try metrics.expectRecorder("fanfare_store_commit_messages").values.contains(3))
        #expect(try !metrics.expectTimer("fanfare_store_commit_duration_seconds").values.isEmpty)
        try FileManager.default.moveItem(atPath: path, toPath: path + ".away")
        // Only what had to be written counts as failed.
        _ = opened.submit([.publish(1, try draft("/a", "3")), .pass(2)])
        #expect(try Self.failures(.removed) == before + 1)
    }
}
