// echo-server PORT: sends every message back, on 127.0.0.1, compressed if the client offers permessage-deflate.
//
// The driver does the protocol; this file does sockets, poll and the clock. Port 0 takes a free one.

import Driver
import Glibc

/// Nanoseconds of a clock that never goes back.
func monotonicNow() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

func fail(_ message: String) -> Never {
    let line = "echo-server: \(message)\n"
    _ = write(STDERR_FILENO, line, line.utf8.count)
    exit(1)
}

/// A listening socket on 127.0.0.1, and its port.
func listen(port: UInt16) -> (socket: Int32, port: UInt16) {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var yes: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout.size(ofValue: yes)))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    var length = socklen_t(MemoryLayout.size(ofValue: address))
    let status = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            if bind(listener, generic, length) != 0 || Glibc.listen(listener, 128) != 0 { return -1 as Int32 }
            return getsockname(listener, generic, &length)
        }
    }
    guard status == 0 else { fail("cannot listen on port \(port): \(String(cString: strerror(errno)))") }
    return (listener, UInt16(bigEndian: address.sin_port))
}

guard CommandLine.arguments.count == 2, let port = UInt16(CommandLine.arguments[1]) else {
    fail("usage: echo-server PORT")
}
signal(SIGPIPE, SIG_IGN)
let listener = listen(port: port)
print("listening on ws://127.0.0.1:\(listener.port)")
fflush(nil)

let scratch = DriverScratch()
var connections: [EchoConnection] = []
let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 64)

while true {
    var polled = [pollfd(fd: listener.socket, events: Int16(POLLIN), revents: 0)]
    polled += connections.map { pollfd(fd: $0.socket, events: $0.awaitedEvents, revents: 0) }
    let deadline = connections.compactMap(\.nextDeadline).min()
    _ = poll(&polled, nfds_t(polled.count), deadline.map { millisecondsUntil($0) } ?? -1)

    let now = monotonicNow()
    for (connection, events) in zip(connections, polled.dropFirst()) {
        connection.handle(events.revents, buffer: input, now: now)
    }
    connections.removeAll { $0.isFinished }
    if polled[0].revents != 0 {
        let accepted = accept(listener.socket, nil, nil)
        if accepted >= 0, fcntl(accepted, F_SETFL, O_NONBLOCK) == 0 {
            try connections.append(EchoConnection(socket: accepted, scratch: scratch, now: now))
        }
    }
}

/// For poll: rounded up, so that it does not wake too early and spin.
func millisecondsUntil(_ deadline: UInt64) -> Int32 {
    let now = monotonicNow()
    return deadline <= now ? 0 : Int32(clamping: (deadline - now) / 1_000_000 + 1)
}
