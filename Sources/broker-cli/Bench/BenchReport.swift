import Foundation

/// What a measurement has shown: as a table, JSON, or a line of CSV.
struct BenchReport {
    let plan: BenchRun.Plan
    let outcome: BenchRun.Outcome

    var publishedPerSecond: Double { Self.ratio(outcome.publishedCount, outcome.publishSeconds) }
    var deliveredPerSecond: Double { Self.ratio(outcome.deliveredCount, outcome.deliverySeconds) }

    private static func ratio(_ count: Int, _ seconds: Double) -> Double { seconds > 0 ? Double(count) / seconds : 0 }

    private static let parts: [(name: String, part: Double)] = [
        ("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1),
    ]

    /// Names and values; those of CSV's columns, too.
    var values: [(name: String, value: Double)] {
        var values: [(String, Double)] = [
            ("size", Double(plan.size)), ("publishers", Double(plan.publisherCount)),
            ("subscribers", Double(plan.subscriberCount)), ("published", Double(outcome.publishedCount)),
            ("delivered", Double(outcome.deliveredCount)), ("missing", Double(outcome.missingCount)),
            ("published_per_second", publishedPerSecond), ("delivered_per_second", deliveredPerSecond),
        ]
        for (what, times) in [("ack", outcome.acknowledged), ("delivery", outcome.delivered)] {
            for (name, part) in Self.parts {
                values.append(("\(what)_seconds_\(name)", Double(times.value(at: part)) / 1e9))
            }
        }
        return values
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
    }

    var json: String {
        "{" + values.map { #""\#($0.name)":\#(Self.number($0.value))"# }.joined(separator: ",") + "}\n"
    }

    var csvHead: String { values.map(\.name).joined(separator: ",") + "\n" }
    var csv: String { values.map { Self.number($0.value) }.joined(separator: ",") + "\n" }

    var table: String {
        func cell(_ text: String) -> String { String(repeating: " ", count: max(0, 12 - text.count)) + text }
        func row(_ name: String, _ cells: [String]) -> String {
            name.padding(toLength: 13, withPad: " ", startingAt: 0) + cells.map(cell).joined() + "\n"
        }
        var text = row("\(plan.size) bytes", ["messages", "per second", "data", "missing"])
        func rates(_ name: String, _ count: Int, _ rate: Double, _ missing: String) -> String {
            row(
                name,
                [
                    Quantity.grouped(Double(count)), Quantity.grouped(rate),
                    Quantity.bytes(rate * Double(plan.size)) + "/s", missing,
                ])
        }
        text += rates("published", outcome.publishedCount, publishedPerSecond, "")
        if plan.subscriberCount > 0 {
            text += rates(
                "delivered", outcome.deliveredCount, deliveredPerSecond,
                Quantity.grouped(Double(outcome.missingCount)))
        }
        text += "\n" + row("time until", ["p50", "p90", "p99", "p99.9", "max"])
        func times(_ name: String, _ histogram: Histogram) -> String {
            row(name, Self.parts.map { Quantity.seconds(Double(histogram.value(at: $0.part)) / 1e9) })
        }
        text += times("acknowledged", outcome.acknowledged)
        if plan.subscriberCount > 0 { text += times("delivered", outcome.delivered) }
        return text
    }
}
