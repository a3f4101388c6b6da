import BrokerFront
import Foundation

/// Speaks to a running broker at its control socket.
struct ControlClient {
    private let descriptor: Int32

    /// The socket beside a database.
    static func path(forDatabase path: String) -> String { path + ".control" }

    /// Connects to the broker that has the database; nil if there is none.
    init?(database path: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(Self.path(forDatabase: path).utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let status = withUnsafePointer(to: address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else {
            close(descriptor)
            return nil
        }
    }

    /// Has the broker do something; what it says to that.
    func run(_ command: String) -> Result<String, ControlError> {
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            try handle.write(contentsOf: Data((command + "\n").utf8))
            let answer = String(decoding: try handle.readToEnd() ?? Data(), as: UTF8.self)
            let lines = answer.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
            guard lines.count == 2 else { return .failure(ControlError(description: "the broker did not answer")) }
            let text = lines[1].hasSuffix("\n") ? String(lines[1].dropLast()) : String(lines[1])
            return lines[0] == "ok" ? .success(text) : .failure(ControlError(description: text))
        } catch {
            return .failure(ControlError(description: "\(error)"))
        }
    }
}

/// What the broker, or the way to it, says is wrong.
struct ControlError: Error, CustomStringConvertible {
    let description: String
}
