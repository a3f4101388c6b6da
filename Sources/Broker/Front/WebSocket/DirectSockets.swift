import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The sockets of one event loop that bytes can be sent to straight away, by slot: nothing waits for them.
///
/// Sending to many connections goes through this one array instead of through all that each of them consists of. Not
/// thread-safe: it belongs to its loop.
final class DirectSockets {
    typealias Socket = NIOBSDSocket.Handle

    private static let none: Socket = -1
    @exclusivity(unchecked) private var sockets: [Socket] = []

    /// Makes a slot's socket known, or says that there is none at present.
    func set(_ socket: Socket?, at slot: UInt32) {
        let slot = Int(slot)
        if slot >= sockets.count {
            sockets.append(contentsOf: repeatElement(Self.none, count: slot + 1 - sockets.count))
        }
        sockets[slot] = socket ?? Self.none
    }

    /// Sends to a slot's socket; returns how many bytes it took, 0 when there is none or it takes nothing now.
    func send(_ bytes: UnsafeRawBufferPointer, to slot: UInt32) -> Int {
        let slot = Int(slot)
        guard slot < sockets.count, sockets[slot] != Self.none else { return 0 }
        return Self.send(bytes, to: sockets[slot])
    }

    /// Sends to a socket without waiting; returns how many bytes it took. An error is left to the channel, which meets
    /// it again and closes.
    static func send(_ bytes: UnsafeRawBufferPointer, to socket: Socket) -> Int {
        #if canImport(Glibc)
        let sent = Glibc.send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        #elseif canImport(Musl)
        let sent = Musl.send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        #else
        let sent = Darwin.send(socket, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT))
        #endif
        return max(0, sent)
    }
}
