import Foundation

/// Stands where a broker is expected: listens on a free port, and gives each connection to a closure, on a thread of its
/// own.
final class Acceptor {
    let port: Int
    private let listener: Int32

    var endpoint: String { "http://127.0.0.1:\(port)/bayeux" }

    /// The connection is closed when `serve` returns.
    init(_ serve: @escaping @Sendable (Int32) -> Void) throws {
        let listener = Self.streamSocket()
        let (port, isListening) = Self.withAddress(port: 0) { address, length in
            var length = length
            return bind(listener, address, length) == 0 && listen(listener, 16) == 0
                && getsockname(listener, address, &length) == 0
        }
        guard isListening else { throw Missing("a port: \(errno)") }
        (self.listener, self.port) = (listener, port)
        Thread.detachNewThread {
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                Thread.detachNewThread {
                    serve(connection)
                    close(connection)
                }
            }
        }
    }

    /// Answers every request with the same. With `closed` the connection is kept, and that is called when the client has
    /// closed it.
    convenience init(
        answer status: String, _ body: String, closed: (@Sendable () -> Void)? = nil
    ) throws {
        let connection = closed == nil ? "close" : "keep-alive"
        let answer =
            "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\nConnection: \(connection)\r\n\r\n\(body)"
        try self.init { connection in
            guard Self.readRequest(connection) != nil else { return }
            Self.send(Array(answer.utf8)[...], connection)
            guard let closed else { return }
            while Self.readRequest(connection) != nil {}
            closed()
        }
    }

    /// Answers each request of a connection with the body that is made for its head.
    convenience init(answering body: @escaping @Sendable (_ head: String) -> String) throws {
        try self.init { connection in
            while let head = Self.readRequest(connection) {
                let text = body(head)
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)"
                Self.send(Array(answer.utf8)[...], connection)
            }
        }
    }

    /// Stands before the broker at a port, and ends each connection when the client sends for the third time: that is
    /// behind the handshakes of WebSocket and of Bayeux, both of which it waits for.
    convenience init(cutting port: Int) throws {
        try self.init { client in
            let broker = Self.streamSocket()
            defer { close(broker) }
            guard Self.withAddress(port: port, { connect(broker, $0, $1) == 0 }).1 else { return }
            var awaited = [client, broker].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            var count = 0
            while poll(&awaited, 2, -1) > 0 {
                for (source, sink) in [(0, broker), (1, client)] where awaited[source].revents != 0 {
                    let length = recv(awaited[source].fd, &buffer, buffer.count, 0)
                    if source == 0 { count += 1 }
                    guard length > 0, count < 3 else { return }
                    Self.send(buffer[..<length], sink)
                }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private static func streamSocket() -> Int32 { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }

    /// The loopback address as the system takes it, and its port afterwards.
    private static func withAddress(
        port: Int, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Bool
    ) -> (Int, Bool) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isDone = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return (Int(UInt16(bigEndian: address.sin_port)), isDone)
    }

    /// Reads one request with its body; its head, or nil when the connection ends before.
    private static func readRequest(_ connection: Int32) -> String? {
        var text = Data()
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            if let head = text.firstRange(of: Data("\r\n\r\n".utf8)) {
                let whole = String(decoding: text[..<head.lowerBound], as: UTF8.self)
                let fields = whole.lowercased()
                let length = fields.firstRange(of: "content-length: ").flatMap { range in
                    Int(fields[range.upperBound...].prefix { $0.isNumber })
                }
                if text.count >= head.upperBound + (length ?? 0) { return whole }
            }
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            text += buffer.prefix(count)
        }
    }

    private static func send(_ bytes: ArraySlice<UInt8>, _ connection: Int32) {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Foundation.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
