/// A table, printed as it grows; the last column says how many times as long as ours each takes.
struct Report {
    private let columns = [34, 14, 12, 8, 12, 10]

    /// Only workloads whose title begins with this are measured.
    private let prefix: String?

    init(prefix: String?) {
        self.prefix = prefix
        line(["workload", "who", "ns each", "GB/s", "allocations", "to ours"])
    }

    func add(_ workload: Workload) {
        guard workload.title.hasPrefix(prefix ?? "") else { return }
        let costs = workload.measure()
        for cost in costs {
            let throughput = Double(workload.payloadBytes) / cost.nanoseconds
            line([
                cost.name == costs[0].name ? workload.title : "", cost.name, number(cost.nanoseconds),
                workload.payloadBytes > 0 ? number(throughput) : "", number(cost.allocations),
                number(cost.nanoseconds / costs[0].nanoseconds),
            ])
        }
    }

    /// Measured unless particular workloads were asked for.
    func add(_ memory: IdleMemory.Type) {
        guard prefix == nil else { return }
        let idle = memory.init()
        line([
            "idle server connection", "ours",
            "\(idle.inlineBytes) B inline + \(number(idle.heapBytes)) B on the heap",
        ])
    }

    private func line(_ cells: [String]) {
        print(
            zip(cells, columns).map { cell, width in
                let padding = String(repeating: " ", count: max(0, width - cell.count))
                return width == columns[0] || width == columns[1] ? cell + padding : padding + cell
            }.joined(separator: " "))
    }

    private func number(_ value: Double) -> String {
        let digits = value >= 100 ? 1.0 : value >= 10 ? 10.0 : 100.0
        let rounded = (value * digits).rounded() / digits
        return digits == 1 ? "\(Int(rounded))" : "\(rounded)"
    }
}
