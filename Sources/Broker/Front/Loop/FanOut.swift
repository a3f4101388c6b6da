import BrokerCore
import Driver
import NIOCore

/// The outgoing frames of one turn of an event loop: each is encoded once, and each connection gets its frames in one
/// piece when the turn ends.
///
/// A frame is appended to one buffer; a connection's list holds the frames' numbers. Where they follow each other, as
/// they do when all of a turn's frames go to the same subscribers, what is sent is a part of that very buffer, shared
/// by all connections; else they are joined in a second one. Not thread-safe: it belongs to its loop.
struct FanOut {
    /// A frame of this turn.
    struct Frame {
        fileprivate let number: UInt32
    }
    private struct Link {
        let frame: UInt32
        var next: Int32
    }
    /// The frames of one connection, in order, as a list within `links`.
    private struct Pending {
        var first: Int32 = -1
        var last: Int32 = -1
        var isContiguous = true
    }
    /// What is handed over in one piece is at most this long, unless one frame is longer.
    static let pieceBytes = 64 * 1024
    /// Memory that is kept for the next turn.
    private static let keptBytes = 1 << 20

    private var bytes: ByteBuffer
    private var joined: ByteBuffer
    /// Where each frame ends in `bytes`.
    private var ends: [Int] = []
    private var links: [Link] = []
    private var pending: [Pending] = []
    private var dirty: [UInt32] = []

    init(allocator: ByteBufferAllocator = ByteBufferAllocator()) {
        bytes = allocator.buffer(capacity: 4096)
        joined = allocator.buffer(capacity: 0)
    }

    /// Whether nothing waits.
    var isEmpty: Bool { dirty.isEmpty }
    /// The memory that this turn has taken so far.
    var byteCount: Int { bytes.readableBytes + links.count * MemoryLayout<Link>.stride }

    /// Encodes a text frame with a JSON array around `objects`, which are separated by commas.
    mutating func appendArray(of objects: RawSpan) -> Frame {
        let payloadBytes = objects.byteCount + 2
        let frameBytes = FrameEncoder.serverFrameBytes(payloadBytes: payloadBytes)
        bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: frameBytes) { buffer in
            var position = FrameEncoder.encodeServerHeader(.text, payloadBytes: payloadBytes, into: buffer)
            buffer[position] = UInt8(ascii: "[")
            position += 1
            objects.withUnsafeBytes { source in
                UnsafeMutableRawBufferPointer(rebasing: buffer[position...]).copyMemory(from: source)
            }
            position += objects.byteCount
            buffer[position] = UInt8(ascii: "]")
            return position + 1
        }
        ends.append(bytes.writerIndex)
        return Frame(number: UInt32(ends.count - 1))
    }

    /// The same as a frame of the hixie drafts.
    mutating func appendHixieArray(of objects: RawSpan) -> Frame {
        bytes.writeInteger(HixieFrameEncoder.textPrefix)
        bytes.writeStaticString("[")
        objects.withUnsafeBytes { _ = bytes.writeBytes($0) }
        bytes.writeStaticString("]")
        bytes.writeInteger(HixieFrameEncoder.textSuffix)
        ends.append(bytes.writerIndex)
        return Frame(number: UInt32(ends.count - 1))
    }

    /// The same as an event of a stream, without an id.
    mutating func appendEvent(of objects: RawSpan) -> Frame {
        bytes.writeStaticString("data: [")
        objects.withUnsafeBytes { _ = bytes.writeBytes($0) }
        bytes.writeStaticString("]\r\n\r\n")
        ends.append(bytes.writerIndex)
        return Frame(number: UInt32(ends.count - 1))
    }

    /// Encodes a publication in another form than a plain text frame.
    mutating func append(_ publication: Publication, as form: WireForm) -> Frame {
        form.append(publication, to: &bytes)
        ends.append(bytes.writerIndex)
        return Frame(number: UInt32(ends.count - 1))
    }

    /// Puts a frame into the list of the connection in `slot`.
    mutating func enqueue(_ frame: Frame, for slot: UInt32) {
        let slot = Int(slot)
        if slot >= pending.count {
            pending.append(contentsOf: repeatElement(Pending(), count: slot + 1 - pending.count))
        }
        let link = Int32(links.count)
        links.append(Link(frame: frame.number, next: -1))
        let last = pending[slot].last
        if last < 0 {
            pending[slot].first = link
            dirty.append(UInt32(slot))
        } else {
            if links[Int(last)].frame + 1 != frame.number { pending[slot].isContiguous = false }
            links[Int(last)].next = link
        }
        pending[slot].last = link
    }

    /// Hands each connection's frames to `send`, in pieces of whole frames, and begins anew.
    mutating func drain(_ send: (_ slot: UInt32, _ piece: ByteBuffer) -> Void) {
        for slot in dirty {
            let list = pending[Int(slot)]
            pending[Int(slot)] = Pending()
            if list.isContiguous {
                let start = start(of: links[Int(list.first)].frame)
                let end = ends[Int(links[Int(list.last)].frame)]
                if end - start <= Self.pieceBytes {
                    if let piece = bytes.getSlice(at: start, length: end - start) { send(slot, piece) }
                    continue
                }
            }
            sendJoined(list, to: slot, send)
        }
        dirty.removeAll(keepingCapacity: true)
        links.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        reset()
    }

    /// Joins frames that do not follow each other, or that are too many for one piece.
    private mutating func sendJoined(
        _ list: Pending, to slot: UInt32, _ send: (_ slot: UInt32, _ piece: ByteBuffer) -> Void
    ) {
        var link = list.first
        joined.clear()
        while link >= 0 {
            let frame = links[Int(link)].frame
            let start = start(of: frame)
            let length = ends[Int(frame)] - start
            if joined.readableBytes > 0, joined.readableBytes + length > Self.pieceBytes {
                send(slot, joined)
                joined.clear()
            }
            if length > Self.pieceBytes {
                if let piece = bytes.getSlice(at: start, length: length) { send(slot, piece) }
            } else {
                bytes.withUnsafeReadableBytes { readable in
                    _ = joined.writeBytes(readable[start..<start + length])
                }
            }
            link = links[Int(link)].next
        }
        if joined.readableBytes > 0 { send(slot, joined) }
    }

    private func start(of frame: UInt32) -> Int {
        frame == 0 ? 0 : ends[Int(frame) - 1]
    }

    private mutating func reset() {
        if bytes.capacity > Self.keptBytes { bytes = ByteBuffer() } else { bytes.clear() }
        if joined.capacity > Self.keptBytes { joined = ByteBuffer() } else { joined.clear() }
    }
}
