// Where an optimised build finds C's types, since X509 imports it.
import CoreFoundation
import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What the process takes of the machine.
struct ProcessUsage {
    /// Processor time of all threads, in seconds.
    let cpuSeconds: Double
    /// Memory that is in use now, if the system tells (Linux).
    let residentBytes: Int?
    let openDescriptors: Int?
    let descriptorLimit: Int

    /// Reads it now.
    init() {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        cpuSeconds = Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        residentBytes = Self.residentPages().map { $0 * Int(sysconf(Int32(_SC_PAGESIZE))) }
        openDescriptors = Self.countEntries(of: "/proc/self/fd")
        var limit = rlimit()
        getrlimit(Self.descriptors, &limit)
        descriptorLimit = Int(clamping: limit.rlim_cur)
    }

    #if canImport(Glibc)
    private static let descriptors = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
    private static let descriptors = RLIMIT_NOFILE
    #endif

    /// The second number of `statm` (proc_pid_statm(5)).
    private static func residentPages() -> Int? {
        guard let file = fopen("/proc/self/statm", "r") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        guard fgets(&line, 128, file) != nil else { return nil }
        let fields = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            .split(separator: " ")
        return fields.count > 1 ? Int(fields[1]) : nil
    }

    private static func countEntries(of folder: String) -> Int? {
        guard let entries = opendir(folder) else { return nil }
        defer { closedir(entries) }
        var count = 0
        while readdir(entries) != nil { count += 1 }
        // Without `.`, `..` and the descriptor of the folder itself.
        return count - 3
    }

    /// Appends what is known, by the names that Prometheus's own libraries use.
    func append(to text: inout MetricsText) {
        text.add("process_cpu_seconds_total", .counter, "Processor time of the broker.", cpuSeconds)
        if let residentBytes {
            text.add("process_resident_memory_bytes", .gauge, "Memory in use.", residentBytes)
        }
        if let openDescriptors { text.add("process_open_fds", .gauge, "Open descriptors.", openDescriptors) }
        text.add("process_max_fds", .gauge, "Descriptors that may be open.", descriptorLimit)
    }
}
