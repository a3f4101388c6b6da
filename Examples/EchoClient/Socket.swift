import Driver
import Glibc

/// Why a connection could not be made or used.
struct SocketError: Error, CustomStringConvertible {
    let message: String

    init(message: String) {
        self.message = message
    }

    init(_ action: String) {
        message = "cannot \(action): \(String(cString: strerror(errno)))"
    }

    var description: String { message }
}

/// A blocking TCP connection, closed when it goes out of scope.
struct Socket: ~Copyable {
    enum Input {
        case bytes([UInt8])
        case end
        case timeout
    }

    private let descriptor: Int32

    init(connectingTo url: WebSocketURL) throws(SocketError) {
        guard !url.isSecure else { throw SocketError(message: "no TLS in this example") }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var addresses: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(url.host, String(url.port), &hints, &addresses) == 0, let first = addresses?.pointee else {
            throw SocketError(message: "no address for \(url.host)")
        }
        defer { freeaddrinfo(addresses) }
        let descriptor = socket(first.ai_family, first.ai_socktype, first.ai_protocol)
        guard descriptor >= 0, connect(descriptor, first.ai_addr, first.ai_addrlen) == 0 else {
            throw SocketError("connect to \(url.authority)")
        }
        self.descriptor = descriptor
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout.size(ofValue: yes)))
    }

    deinit {
        close(descriptor)
    }

    /// The next bytes, unless the peer's stream ends or the deadline (monotonic, ns) passes before.
    func read(until deadline: UInt64?) throws(SocketError) -> Input {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let now = monotonicNow()
        let milliseconds = deadline.map { $0 <= now ? 0 : Int32(clamping: ($0 - now) / 1_000_000 + 1) }
        guard poll(&polled, 1, milliseconds ?? -1) != 0 else { return .timeout }
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
            let result = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if result < 0 { failure = errno }
            count = max(result, 0)
        }
        // A peer that resets the connection ends its stream, too.
        guard failure == 0 || failure == ECONNRESET else { throw SocketError("read") }
        return bytes.isEmpty ? .end : .bytes(bytes)
    }

    /// Writes all of the bytes; what a peer that is gone no longer takes is dropped.
    func write(_ bytes: [UInt8]) throws(SocketError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, 0) }
            if count < 0 {
                if errno == EINTR { continue }
                if errno == EPIPE || errno == ECONNRESET { return }
                throw SocketError("write")
            }
            rest = rest.dropFirst(count)
        }
    }
}

/// Nanoseconds of a clock that never goes back.
func monotonicNow() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
