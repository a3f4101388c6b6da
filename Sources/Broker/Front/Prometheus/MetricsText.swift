import BrokerCore

/// Metrics as Prometheus reads them (text format 0.0.4): a family at a time, each with what it means and its type.
struct MetricsText {
    /// What a family's numbers are.
    enum Kind: String {
        case counter, gauge, histogram
    }
    /// The type of the content.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private(set) var bytes: [UInt8] = []

    /// Begins a family; its samples follow.
    mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
        bytes += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n".utf8
    }

    /// A family of one number.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: some Numeric) {
        begin(name, kind, help)
        sample(name, [], value)
    }

    /// A family of one number for each value of a label.
    mutating func add(
        _ name: String, _ kind: Kind, _ help: String, by label: String,
        _ samples: some Sequence<(value: String, number: some Numeric)>
    ) {
        begin(name, kind, help)
        for sample in samples { self.sample(name, [(label, sample.value)], sample.number) }
    }

    /// One number.
    mutating func sample(_ name: String, _ labels: [(String, String)], _ value: some Numeric) {
        bytes += name.utf8
        append(labels)
        bytes += " \(value)\n".utf8
    }

    /// The samples of one histogram.
    mutating func sample(_ name: String, _ labels: [(String, String)], _ histogram: Histogram) {
        var total: UInt64 = 0
        for (index, count) in histogram.rangeCounts.enumerated() {
            total += count
            let bound = index < histogram.bounds.count ? Self.number(histogram.bounds[index]) : "+Inf"
            sample(name + "_bucket", labels + [("le", bound)], total)
        }
        sample(name + "_sum", labels, histogram.sum)
        sample(name + "_count", labels, total)
    }

    private mutating func append(_ labels: [(String, String)]) {
        guard !labels.isEmpty else { return }
        bytes.append(UInt8(ascii: "{"))
        for (index, (name, value)) in labels.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes += "\(name)=\"".utf8
            for byte in value.utf8 {
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
                case UInt8(ascii: "\n"): bytes += "\\n".utf8
                default: bytes.append(byte)
                }
            }
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(UInt8(ascii: "}"))
    }

    /// Without a point where there is nothing behind it, as the bounds of histograms are usually written.
    private static func number(_ value: Double) -> String {
        value == value.rounded() ? "\(Int(value))" : "\(value)"
    }
}
