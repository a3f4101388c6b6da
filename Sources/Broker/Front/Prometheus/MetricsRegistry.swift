import BrokerCore
package import CoreMetrics
import Synchronization

/// The backend of swift-metrics: keeps what was counted, by name and labels, until it is read.
///
/// What is counted for every message does not come here (see `LoopCounters`), so a lock for each number is cheap enough.
package final class MetricsRegistry: MetricsFactory, Sendable {
    private struct Key: Hashable {
        let name: String
        let labels: [String]
    }
    private enum Series {
        case number(NumberSeries, MetricsText.Kind)
        case histogram(HistogramSeries)
    }
    private struct Entry {
        let labels: [(String, String)]
        let series: Series
    }
    private let entries = Mutex<[Key: Entry]>([:])

    /// A gauge that is read when somebody asks: its name, what it means, and its samples.
    private struct Reading {
        let name: String
        let help: String
        let read: @Sendable () -> [(labels: [(String, String)], value: Double)]
    }
    private let readings = Mutex<[Reading]>([])

    /// An empty registry.
    package init() {}

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        number(label, dimensions, .counter)
    }

    package func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        number(label, dimensions, .counter)
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        number(label, dimensions, .gauge)
    }

    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        aggregate ? histogram(label, dimensions, Histogram.counts) : number(label, dimensions, .gauge)
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions, Histogram.seconds)
    }

    // What was counted stays: a counter that vanishes looks like a restart.
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}

    private func number(
        _ name: String, _ labels: [(String, String)], _ kind: MetricsText.Kind
    ) -> NumberSeries {
        entries.withLock { entries in
            let key = Key(name: name, labels: labels.flatMap { [$0.0, $0.1] })
            if case .number(let series, _) = entries[key]?.series { return series }
            let series = NumberSeries()
            entries[key] = Entry(labels: labels, series: .number(series, kind))
            return series
        }
    }

    private func histogram(_ name: String, _ labels: [(String, String)], _ bounds: [Double]) -> HistogramSeries {
        entries.withLock { entries in
            let key = Key(name: name, labels: labels.flatMap { [$0.0, $0.1] })
            if case .histogram(let series) = entries[key]?.series { return series }
            let series = HistogramSeries(bounds: bounds)
            entries[key] = Entry(labels: labels, series: .histogram(series))
            return series
        }
    }

    /// Adds a gauge whose samples `read` tells when somebody asks; without samples it is not shown. `read` must be quick:
    /// it runs on an event loop.
    package func watch(
        _ name: String, _ help: String, _ read: @escaping @Sendable () -> [(labels: [(String, String)], value: Double)]
    ) {
        readings.withLock { $0.append(Reading(name: name, help: help, read: read)) }
    }

    /// Appends every family.
    func append(to text: inout MetricsText) {
        for reading in readings.withLock({ $0 }) {
            let samples = reading.read()
            if samples.isEmpty { continue }
            text.begin(reading.name, .gauge, reading.help)
            for sample in samples { text.sample(reading.name, sample.labels, sample.value) }
        }
        let entries = entries.withLock { $0 }
        var last: String?
        for (key, entry) in entries.sorted(by: {
            ($0.key.name, $0.key.labels.joined()) < ($1.key.name, $1.key.labels.joined())
        }) {
            let help = Self.help[key.name] ?? "As its name says."
            switch entry.series {
            case .number(let series, let kind):
                if key.name != last { text.begin(key.name, kind, help) }
                series.append(to: &text, key.name, entry.labels)
            case .histogram(let series):
                if key.name != last { text.begin(key.name, .histogram, help) }
                text.sample(key.name, entry.labels, series.histogram)
            }
            last = key.name
        }
    }

    /// What the metrics mean that other parts of the broker count.
    private static let help = [
        "fanfare_store_commit_duration_seconds": "How long the store's transactions took.",
        "fanfare_store_commit_messages": "Operations in each of the store's transactions.",
        "fanfare_store_checkpoint_duration_seconds": "How long SQLite's log took to be brought into the database.",
        "fanfare_key_set_fetches_total": "Fetches of sets of token keys from their addresses, by result.",
        "fanfare_store_errors_total": "Operations that the store did not carry out, by what was wrong.",
    ]
}

/// One number of a registry.
private final class NumberSeries: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, Sendable {
    private let value = Mutex(0.0)

    func increment(by amount: Int64) { value.withLock { $0 += Double(amount) } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }
    func reset() { value.withLock { $0 = 0 } }
    func set(_ value: Int64) { self.value.withLock { $0 = Double(value) } }
    func set(_ value: Double) { self.value.withLock { $0 = value } }
    func record(_ value: Int64) { set(value) }
    func record(_ value: Double) { set(value) }

    func append(to text: inout MetricsText, _ name: String, _ labels: [(String, String)]) {
        text.sample(name, labels, value.withLock { $0 })
    }
}

/// One histogram of a registry.
private final class HistogramSeries: RecorderHandler, TimerHandler, Sendable {
    private let values: Mutex<Histogram>

    init(bounds: [Double]) {
        values = Mutex(Histogram(bounds: bounds))
    }

    var histogram: Histogram { values.withLock { $0 } }

    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) { values.withLock { $0.observe(value) } }
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
}
