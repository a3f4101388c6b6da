import Foundation
import NIOCore

/// The cores that this process may run on.
enum UsableCores {
    /// How many there are: of the machine's those that a control group, `taskset` or `CPUAffinity=` of a unit leave to it.
    static let count: Int = {
        let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        return min(System.coreCount, status.flatMap(allowed) ?? .max)
    }()

    /// How many `Cpus_allowed_list` of proc_pid_status(5) has, such as `0-3,8`; nil where that is not said.
    static func allowed(in status: String) -> Int? {
        let name = "Cpus_allowed_list:"
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return nil }
        var count = 0
        for range in line.dropFirst(name.count).split(separator: ",") {
            let ends = range.split(separator: "-").map { Int($0.trimmingCharacters(in: .whitespaces)) }
            guard let first = ends.first, let first, let last = ends.last, let last, first <= last else { return nil }
            count += last - first + 1
        }
        return count > 0 ? count : nil
    }
}
