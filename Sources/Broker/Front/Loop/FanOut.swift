import BrokerCore
import Driver
import NIOCore

/// The outgoing bytes of one turn of an event loop: what goes to the same connections is put together once, and each
/// connection gets all of its bytes in one piece when the turn ends.
///
/// Publications to the same recipients make a *run*, one buffer that grows with each of them and is sent to all of
/// them: the first one links the run to every connection, the others only append to it. What goes to one connection
/// alone, replies above all, lies in a buffer of its own. A connection's bytes are a list of links to parts of these
/// buffers. Something else that is written to a member of a run closes its link; the member becomes a *stray*, which
/// the next publication of the run links again. Not thread-safe: it belongs to its loop.
struct FanOut {
    /// A part of a run, or of what goes to one connection alone.
    private struct Link {
        /// The run; negative for `own`.
        let run: Int32
        let start: UInt32
        /// Where it ends; `.max` while it grows with the run.
        var end: UInt32
        var next: Int32 = -1

        var isOpen: Bool { end == .max }
    }
    /// The links of one connection, in order, as a list within `links`.
    private struct List {
        var first: Int32 = -1
        var last: Int32 = -1
    }
    private struct Run {
        /// The kind of bytes that its members take.
        let form: UInt8
        var memberCount = 0
        var strays: [UInt32] = []
    }
    /// The runs of some recipients: one for each form that there is among them, next to each other.
    private struct Group {
        let recipients: Recipients
        let runs: Range<Int>
    }
    /// What is joined of several parts is at most this long, unless one part is longer.
    static let pieceBytes = 64 * 1024
    /// Memory that is kept for the next turn.
    private static let keptBytes = 2 << 20

    private var own: ByteBuffer
    private var joined: ByteBuffer
    private var runs: [Run] = []
    /// The bytes of each run; there are as many as there were runs in any turn, within bounds.
    private var buffers: [ByteBuffer] = []
    private var groups: [Group] = []
    private var groupNumbers: [ObjectIdentifier: Int] = [:]
    private var links: [Link] = []
    private var lists: [List] = []
    private var dirty: [UInt32] = []
    private var runBytes = 0

    init(allocator: ByteBufferAllocator = ByteBufferAllocator()) {
        own = allocator.buffer(capacity: 4096)
        joined = allocator.buffer(capacity: 0)
    }

    /// Whether nothing waits.
    var isEmpty: Bool { dirty.isEmpty }
    /// The memory that this turn has taken so far.
    var byteCount: Int { own.readableBytes + runBytes + links.count * MemoryLayout<Link>.stride }

    /// Appends what `write` writes for one connection.
    mutating func append(to slot: UInt32, _ write: (inout ByteBuffer) -> Void) {
        let start = UInt32(own.writerIndex)
        write(&own)
        let end = UInt32(own.writerIndex)
        let slot = Int(slot)
        if slot < lists.count, lists[slot].last >= 0 {
            let last = Int(lists[slot].last)
            if links[last].run < 0, links[last].end == start {
                links[last].end = end
                return
            }
        }
        link(slot, Link(run: -1, start: start, end: end))
    }

    /// Appends a publication for all of its recipients.
    ///
    /// `form` tells the form that a connection takes; `write` is called once for each form, with the number of
    /// connections that take it.
    mutating func append(
        to recipients: Recipients, form: (UInt32) -> UInt8, _ write: (UInt8, Int, inout ByteBuffer) -> Void
    ) {
        guard let group = group(of: recipients) else { return begin(recipients, form, write) }
        for run in group.runs {
            let start = UInt32(buffers[run].writerIndex)
            append(to: run, write)
            if !runs[run].strays.isEmpty {
                let strays = runs[run].strays
                runs[run].strays.removeAll(keepingCapacity: true)
                for slot in strays { link(Int(slot), Link(run: Int32(run), start: start, end: .max)) }
            }
        }
    }

    private func group(of recipients: Recipients) -> Group? {
        if let last = groups.last, last.recipients === recipients { return last }
        return groupNumbers[ObjectIdentifier(recipients)].map { groups[$0] }
    }

    /// The first publication of this turn to these recipients.
    private mutating func begin(
        _ recipients: Recipients, _ form: (UInt32) -> UInt8, _ write: (UInt8, Int, inout ByteBuffer) -> Void
    ) {
        let first = runs.count
        for slot in recipients.slots {
            let form = form(slot)
            var run = first
            while run < runs.count, runs[run].form != form { run += 1 }
            if run == runs.count {
                runs.append(Run(form: form))
                if run == buffers.count { buffers.append(ByteBuffer()) }
            }
            runs[run].memberCount += 1
            link(Int(slot), Link(run: Int32(run), start: 0, end: .max))
        }
        for run in first..<runs.count { append(to: run, write) }
        groupNumbers[ObjectIdentifier(recipients)] = groups.count
        groups.append(Group(recipients: recipients, runs: first..<runs.count))
    }

    private mutating func append(to run: Int, _ write: (UInt8, Int, inout ByteBuffer) -> Void) {
        let before = buffers[run].writerIndex
        write(runs[run].form, runs[run].memberCount, &buffers[run])
        runBytes += buffers[run].writerIndex - before
    }

    /// Puts a link at the end of a connection's list; the one before it grows no more.
    private mutating func link(_ slot: Int, _ link: Link) {
        if slot >= lists.count {
            lists.append(contentsOf: repeatElement(List(), count: slot + 1 - lists.count))
        }
        let number = Int32(links.count)
        links.append(link)
        let last = Int(lists[slot].last)
        lists[slot].last = number
        if last < 0 {
            lists[slot].first = number
            return dirty.append(UInt32(slot))
        }
        links[last].next = number
        guard links[last].isOpen else { return }
        let run = Int(links[last].run)
        links[last].end = UInt32(buffers[run].writerIndex)
        runs[run].strays.append(UInt32(slot))
    }

    /// Hands each connection's bytes to `send`, as parts of buffers in their order, and begins anew.
    mutating func drain(_ send: (_ slot: UInt32, _ buffer: ByteBuffer, _ part: Range<Int>) -> Void) {
        for slot in dirty {
            let list = lists[Int(slot)]
            lists[Int(slot)] = List()
            let first = links[Int(list.first)]
            if first.next < 0 {
                if first.run < 0 {
                    send(slot, own, Int(first.start)..<Int(first.end))
                } else {
                    send(slot, buffers[Int(first.run)], part(of: first))
                }
            } else {
                sendJoined(list, to: slot, send)
            }
        }
        reset()
    }

    /// A part of a buffer for somebody who has to wait: a copy when it is small, for a few bytes must not hold a megabyte.
    static func piece(_ part: Range<Int>, of buffer: ByteBuffer) -> ByteBuffer {
        let bytes = buffer.viewBytes(at: part.lowerBound, length: part.count) ?? ByteBufferView()
        return part.count * 4 < buffer.capacity ? ByteBuffer(bytes: bytes) : ByteBuffer(bytes)
    }

    private func part(of link: Link) -> Range<Int> {
        let end = link.isOpen ? buffers[Int(link.run)].writerIndex : Int(link.end)
        return Int(link.start)..<end
    }

    /// Joins parts that do not follow each other.
    private mutating func sendJoined(
        _ list: List, to slot: UInt32, _ send: (_ slot: UInt32, _ buffer: ByteBuffer, _ part: Range<Int>) -> Void
    ) {
        joined.clear()
        var number = list.first
        while number >= 0 {
            let link = links[Int(number)]
            number = link.next
            let part = part(of: link)
            if joined.readableBytes > 0, joined.readableBytes + part.count > Self.pieceBytes {
                send(slot, joined, 0..<joined.writerIndex)
                joined.clear()
            }
            let buffer = link.run < 0 ? own : buffers[Int(link.run)]
            if part.count > Self.pieceBytes {
                send(slot, buffer, part)
            } else {
                buffer.withUnsafeReadableBytes { bytes in
                    _ = joined.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[part]))
                }
            }
        }
        if joined.readableBytes > 0 { send(slot, joined, 0..<joined.writerIndex) }
    }

    private mutating func reset() {
        dirty.removeAll(keepingCapacity: true)
        links.removeAll(keepingCapacity: true)
        groups.removeAll(keepingCapacity: true)
        groupNumbers.removeAll(keepingCapacity: true)
        var keptBytes = Self.keptBytes
        func clear(_ buffer: inout ByteBuffer) {
            keptBytes -= buffer.capacity
            if keptBytes < 0 { buffer = ByteBuffer() } else { buffer.clear() }
        }
        clear(&own)
        clear(&joined)
        for run in runs.indices { clear(&buffers[run]) }
        if buffers.count > 1024 { buffers.removeLast(buffers.count - 1024) }
        runs.removeAll(keepingCapacity: true)
        runBytes = 0
    }
}
