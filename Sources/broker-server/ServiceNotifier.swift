import Foundation
import NIOCore

/// Tells the service manager how the broker is: datagrams to the socket that `NOTIFY_SOCKET` names (sd_notify(3)).
///
/// Without that variable nothing is told. Errors are not looked at: there is nobody else to tell.
struct ServiceNotifier: Sendable {
    enum State {
        case ready, reloading, stopping, alive
    }

    private let path: String?
    /// Within which time it wants to hear that the broker is alive (sd_watchdog_enabled(3)); nil for not at all.
    let watchdogPeriod: Duration?

    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        let isMeant = environment["WATCHDOG_PID"].map { pid_t($0) == getpid() } ?? true
        watchdogPeriod = environment["WATCHDOG_USEC"].flatMap { Int64($0) }
            .flatMap { $0 > 0 && isMeant ? .microseconds($0) : nil }
        path = environment["NOTIFY_SOCKET"].flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil }
    }

    func tell(_ state: State) {
        switch state {
        case .ready: send("READY=1")
        case .stopping: send("STOPPING=1")
        case .alive: send("WATCHDOG=1")
        case .reloading:
            // Both mean CLOCK_MONOTONIC.
            send("RELOADING=1\nMONOTONIC_USEC=\(NIODeadline.now().uptimeNanoseconds / 1000)")
        }
    }

    private func send(_ text: String) {
        guard let path else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // An abstract name begins with a null byte.
        let name: [UInt8] = (path.hasPrefix("@") ? [0] : Array(path.utf8.prefix(1))) + path.utf8.dropFirst()
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = (MemoryLayout.offset(of: \sockaddr_un.sun_path) ?? 0) + name.count
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        _ = withUnsafePointer(to: address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, bytes, bytes.count, 0, $0, socklen_t(length))
            }
        }
    }
}
