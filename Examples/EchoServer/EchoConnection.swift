import Driver
import Glibc

/// What one call of the driver brought; the connection acts on it when the call has returned.
struct EchoSink: DriverSink {
    var isRequested = false
    var isPlainHTTP = false
    var messages: [(kind: MessageKind, payload: [UInt8])] = []

    mutating func connect(_ request: borrowing RequestHead) { isRequested = true }

    mutating func request(_ head: borrowing RequestHead) { isPlainHTTP = true }

    mutating func message(_ payload: RawSpan, kind: MessageKind) {
        messages.append((kind, payload.withUnsafeBytes(Array.init)))
    }
}

/// One connection: a non-blocking socket and its driver.
///
/// While output is stuck nothing is read, so that a peer who does not read cannot make it grow. When all is said
/// the sending half is closed first and what still comes is thrown away for a while: closing at once, with input
/// unread, would have the kernel reset the connection and lose our last frame on its way.
final class EchoConnection {
    let socket: Int32
    private(set) var isFinished = false
    private var driver: ServerDriver
    private var sink = EchoSink()
    private var unsent: ArraySlice<UInt8> = []
    private var lingerDeadline: UInt64?

    private static let lingerNanoseconds: UInt64 = 2_000_000_000

    init(socket: Int32, scratch: DriverScratch, now: UInt64) throws(ExtensionRegistrationError) {
        self.socket = socket
        driver = ServerDriver(scratch: scratch, now: now)
        try driver.addExtension(PermessageDeflate())
        var yes: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout.size(ofValue: yes)))
    }

    var awaitedEvents: Int16 { Int16(unsent.isEmpty ? POLLIN : POLLOUT) }

    var nextDeadline: UInt64? { lingerDeadline ?? driver.nextDeadline }

    func handle(_ events: Int16, buffer: UnsafeMutableRawBufferPointer, now: UInt64) {
        if let lingerDeadline {
            if now >= lingerDeadline { return finish() }
        } else {
            driver.advance(to: now, into: &sink)
        }
        // Errors and hang-ups show when the socket is used.
        if events & Int16(POLLIN | POLLERR | POLLHUP) != 0 { read(buffer) }
        write(now: now)
    }

    private func read(_ buffer: UnsafeMutableRawBufferPointer) {
        let count = recv(socket, buffer.baseAddress, buffer.count, 0)
        if count > 0 {
            // Event by event, so that a message is echoed before what follows it can close the connection.
            var offset = 0
            while offset < count {
                let rest = UnsafeRawBufferPointer(rebasing: buffer[offset..<count])
                offset += driver.receiveNext(rest.bytes, into: &sink)
                act()
            }
        } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
            driver.receiveEnd(into: &sink)
            if lingerDeadline != nil || count < 0 { finish() }
        }
    }

    private func act() {
        defer { sink = EchoSink() }
        if sink.isPlainHTTP {
            unsent += "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n".utf8
            unsent += "Content-Length: 0\r\n\r\n".utf8
        }
        if sink.isRequested { driver.start(into: &sink) }
        for (kind, payload) in sink.messages {
            switch kind {
            case .text: driver.text(payload.span.bytes)
            case .binary: driver.binary(payload.span.bytes)
            }
        }
    }

    private func write(now: UInt64) {
        guard !isFinished else { return }
        if driver.hasOutput { unsent += driver.takeOutput() }
        while !unsent.isEmpty {
            let count = unsent.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, 0) }
            if count < 0 {
                if errno == EINTR { continue }
                if errno != EAGAIN { finish() }
                return
            }
            unsent = unsent.dropFirst(count)
        }
        unsent = []
        guard driver.state == .closed, lingerDeadline == nil else { return }
        shutdown(socket, Int32(SHUT_WR))
        lingerDeadline = now + Self.lingerNanoseconds
    }

    private func finish() {
        guard !isFinished else { return }
        isFinished = true
        close(socket)
    }
}
