import CWslay
import Glibc

/// wslay's event API with a server's context: it reads through a callback that copies from memory, checks texts,
/// and lends whole messages.
final class WslayPeer {
    /// What the callbacks work on.
    private struct Transport {
        var source = UnsafeRawBufferPointer(start: nil, count: 0)
        var payloadBytes = 0
        var sentBytes = 0
    }

    // A pointer, so that neither reference counts nor exclusivity checks are charged to wslay.
    private let transport = UnsafeMutablePointer<Transport>.allocate(capacity: 1)
    private var context: wslay_event_context_ptr?

    private init() {
        var callbacks = wslay_event_callbacks()
        callbacks.recv_callback = { context, buffer, length, _, user in
            let transport = WslayPeer.transport(user)
            let source = transport.pointee.source
            let count = min(length, source.count)
            guard count > 0, let start = source.baseAddress, let buffer else {
                wslay_event_set_error(context, Int32(WSLAY_ERR_WOULDBLOCK.rawValue))
                return -1
            }
            memcpy(buffer, start, count)
            transport.pointee.source = UnsafeRawBufferPointer(start: start + count, count: source.count - count)
            return count
        }
        callbacks.on_msg_recv_callback = { _, message, user in
            WslayPeer.transport(user).pointee.payloadBytes += message?.pointee.msg_length ?? 0
        }
        callbacks.send_callback = { _, _, length, _, user in
            WslayPeer.transport(user).pointee.sentBytes += length
            return length
        }
        transport.initialize(to: Transport())
        precondition(wslay_event_context_server_init(&context, &callbacks, transport) == 0, "Cannot set up wslay")
    }

    deinit {
        wslay_event_context_free(context)
        transport.deallocate()
    }

    private static func transport(_ user: UnsafeMutableRawPointer?) -> UnsafeMutablePointer<Transport> {
        user.unsafelyUnwrapped.assumingMemoryBound(to: Transport.self)  // what the context was made with
    }

    static func receiving(_ stream: Stream) -> Contender {
        let peer = WslayPeer()
        return Contender(name: "wslay") {
            peer.transport.pointee.payloadBytes = 0
            for chunk in stream.chunks {
                chunk.withUnsafeBytes {
                    peer.transport.pointee.source = $0
                    precondition(wslay_event_recv(peer.context) == 0, "wslay failed to receive")
                }
            }
            return peer.transport.pointee.payloadBytes
        }
    }

    /// It copies the payload when it is queued, and does not check it.
    static func sending(_ payload: [UInt8], count: Int) -> Contender {
        let peer = WslayPeer()
        return Contender(name: "wslay") {
            peer.transport.pointee.sentBytes = 0
            for _ in 0..<count {
                payload.withUnsafeBufferPointer {
                    var message = wslay_event_msg(
                        opcode: UInt8(WSLAY_TEXT_FRAME.rawValue), msg: $0.baseAddress, msg_length: $0.count)
                    precondition(
                        wslay_event_queue_msg(peer.context, &message) == 0 && wslay_event_send(peer.context) == 0,
                        "wslay failed to send")
                }
            }
            return peer.transport.pointee.sentBytes
        }
    }
}
