import NIOCore

/// What waits in the connections of one event loop until their peers take it: how much that is in all, and who has to go
/// when it is too much.
///
/// Most of it are publications for many, which are one piece of memory whoever waits for it, and count once; so nobody is
/// closed for being one of many to whom a large message goes. What TLS makes of a piece is each connection's own. What
/// sockets take at once is never here. Not thread-safe: it belongs to its loop.
final class UnsentBytes {
    /// A piece that waits for one connection.
    struct Hold {
        let byteCount: Int
        /// Its memory, which others may hold as well; nil for a copy. It lives as long as this, so that its identity is
        /// nobody else's.
        fileprivate let memory: AnyObject?
    }
    /// A piece of memory, and how many hold it.
    private struct Memory {
        let byteCount: Int
        var holderCount = 0
    }

    private let limit: Int
    private let eventLoop: any EventLoop
    /// What is to be sent, to each connection for itself.
    private(set) var queuedBytes = 0
    /// The memory that it takes.
    private(set) var keptBytes = 0
    private var memories: [ObjectIdentifier: Memory] = [:]
    /// The connections that something waits for.
    private var waiting: [ObjectIdentifier: Outbound] = [:]
    private var cutIsScheduled = false

    /// Nothing; more than `limit` of memory is too much.
    init(limit: Int, eventLoop: any EventLoop) {
        self.limit = limit
        self.eventLoop = eventLoop
    }

    /// Something begins to wait for a connection.
    func enter(_ connection: Outbound) {
        waiting[ObjectIdentifier(connection)] = connection
    }

    /// Nothing waits for it any more.
    func leave(_ connection: Outbound) {
        waiting[ObjectIdentifier(connection)] = nil
    }

    /// A piece waits; `isCopied` when it is a copy that does.
    func add(_ piece: ByteBuffer, isCopied: Bool) -> Hold {
        let count = piece.readableBytes
        queuedBytes += count
        var owner: AnyObject?
        if isCopied {
            keptBytes += count
        } else {
            let found = piece.withVeryUnsafeBytesWithStorageManagement { $1.takeUnretainedValue() }
            var memory = memories[ObjectIdentifier(found)] ?? Memory(byteCount: piece.storageCapacity)
            if memory.holderCount == 0 { keptBytes += memory.byteCount }
            memory.holderCount += 1
            memories[ObjectIdentifier(found)] = memory
            owner = found
        }
        if keptBytes > limit { scheduleCut() }
        return Hold(byteCount: count, memory: owner)
    }

    /// It is sent, or its connection is gone.
    func remove(_ hold: Hold) {
        queuedBytes -= hold.byteCount
        guard let owner = hold.memory else { return keptBytes -= hold.byteCount }
        guard var memory = memories[ObjectIdentifier(owner)] else {
            preconditionFailure("Cannot let go of memory when nobody holds it")
        }
        memory.holderCount -= 1
        if memory.holderCount == 0 { keptBytes -= memory.byteCount }
        memories[ObjectIdentifier(owner)] = memory.holderCount == 0 ? nil : memory
    }

    /// Later, for a connection may be at work further up; and one at a time, for what one lets go of may be enough.
    private func scheduleCut() {
        guard !cutIsScheduled else { return }
        cutIsScheduled = true
        eventLoop.assumeIsolated().execute {
            self.cutIsScheduled = false
            self.cutHeaviest()
        }
    }

    /// Cuts the connection for which most waits. One alone has a bound of its own.
    private func cutHeaviest() {
        guard keptBytes > limit, waiting.count > 1 else { return }
        var heaviest: Outbound?
        for connection in waiting.values where !connection.isCut {
            if connection.queuedBytes > heaviest?.queuedBytes ?? -1 { heaviest = connection }
        }
        guard let heaviest else { return }
        heaviest.cut()
        scheduleCut()
    }
}
