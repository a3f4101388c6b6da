import NIOCore

/// What waits in the connections of one event loop until their peers take it: how much that is, and who has to go when it is
/// too much in all.
///
/// Most of it are publications for many, which are, unless they are small, one piece of memory whoever waits for it, and
/// count once; so nobody is closed for being one of many to whom a large message goes. What TLS makes of a piece is each
/// connection's own. What sockets take at once is never here. Not thread-safe: it belongs to its loop.
final class UnsentBytes {
    /// A piece that waits for one connection.
    fileprivate struct Hold {
        var byteCount: Int
        /// Its memory, which others may hold as well; nil for a copy. It lives as long as this, so that its identity is
        /// nobody else's.
        let memory: AnyObject?
    }
    /// A piece of memory, and how many hold it.
    private struct Memory {
        let byteCount: Int
        var holderCount = 0
    }
    /// What waits for one connection, in order.
    fileprivate struct Line {
        let connection: Outbound
        var holds = CircularBuffer<Hold>(initialCapacity: 4)
        /// What it has copies of.
        var copiedBytes = 0
    }
    /// So many connections go before the loop looks at the others again.
    static let cutsPerTurn = 8
    /// So many are known when all were weighed.
    private static let weighedCount = 128
    /// So many pieces of a connection's are looked at for that; more are taken to be like them.
    private static let sampleCount = 32

    /// What waits on all loops.
    private let total: UnsentTotal
    private let eventLoop: any EventLoop
    /// What is to be sent, to each connection for itself.
    private(set) var queuedBytes = 0
    /// The memory that it takes.
    private(set) var keptBytes = 0
    private var memories: [ObjectIdentifier: Memory] = [:]
    /// The connections that something waits for.
    private var waiting: [ObjectIdentifier: Line] = [:]
    /// Those that kept most when they were weighed, the one with most last.
    private var heaviest: [Outbound] = []
    private var cutIsScheduled = false

    /// Nothing; what comes counts in `total`, too.
    init(total: UnsentTotal, eventLoop: any EventLoop) {
        self.total = total
        self.eventLoop = eventLoop
    }

    /// A piece waits for a connection, behind what does already: itself, or so many bytes of a copy. Returns how many bytes
    /// there are to be sent.
    func add(_ piece: ByteBuffer, for connection: Outbound, copiedBytes: Int? = nil) -> Int {
        let hold = Hold(
            byteCount: copiedBytes ?? piece.readableBytes, memory: copiedBytes == nil ? take(piece) : nil)
        if hold.memory == nil { keep(hold.byteCount) }
        queuedBytes += hold.byteCount
        let key = ObjectIdentifier(connection)
        if waiting[key] == nil { total.enter() }
        waiting[key, default: Line(connection: connection)].add(hold)
        look()
        return hold.byteCount
    }

    /// What waits for a connection last, a copy, becomes so many bytes longer. Returns how many that are.
    func lengthenLast(of connection: Outbound, by byteCount: Int) -> Int {
        waiting[ObjectIdentifier(connection)]?.grow(by: byteCount)
        queuedBytes += byteCount
        keep(byteCount)
        look()
        return byteCount
    }

    /// What has waited for a connection for longest is sent, or the connection is gone. Returns how many bytes it was.
    func removeFirst(of connection: Outbound) -> Int {
        let key = ObjectIdentifier(connection)
        guard let hold = waiting[key]?.removeFirst() else {
            preconditionFailure("Cannot take away what waits for a connection when nothing does")
        }
        if waiting[key]?.holds.isEmpty == true {
            waiting[key] = nil
            total.leave()
        }
        queuedBytes -= hold.byteCount
        if let memory = hold.memory { letGo(of: memory) } else { keep(-hold.byteCount) }
        return hold.byteCount
    }

    private func take(_ piece: ByteBuffer) -> AnyObject {
        let owner: AnyObject = piece.withVeryUnsafeBytesWithStorageManagement { $1.takeUnretainedValue() }
        var memory = memories[ObjectIdentifier(owner)] ?? Memory(byteCount: piece.storageCapacity)
        if memory.holderCount == 0 { keep(memory.byteCount) }
        memory.holderCount += 1
        memories[ObjectIdentifier(owner)] = memory
        return owner
    }

    private func letGo(of owner: AnyObject) {
        guard var memory = memories[ObjectIdentifier(owner)] else {
            preconditionFailure("Cannot let go of memory when nobody holds it")
        }
        memory.holderCount -= 1
        if memory.holderCount == 0 { keep(-memory.byteCount) }
        memories[ObjectIdentifier(owner)] = memory.holderCount == 0 ? nil : memory
    }

    /// More memory is kept, or less.
    private func keep(_ byteCount: Int) {
        keptBytes += byteCount
        total.add(byteCount)
    }

    /// Whether somebody has to go, and from this loop.
    private var isTooMuch: Bool { keptBytes > total.share && total.isTooMuch }

    /// Has connections cut if too much waits: later, for one may be at work further up. To be called now and then, since
    /// what waits on the other loops grows unnoticed.
    func look() {
        guard isTooMuch, !cutIsScheduled else { return }
        cutIsScheduled = true
        eventLoop.assumeIsolated().executeNextTurn { [self] in
            cutIsScheduled = false
            cutHeaviest()
        }
    }

    /// Cuts those who keep most, one at a time, for what one lets go of may be enough.
    private func cutHeaviest() {
        if heaviest.isEmpty { heaviest = weigh() }
        var count = 0
        while isTooMuch, count < Self.cutsPerTurn, let connection = heaviest.popLast() {
            guard waiting[ObjectIdentifier(connection)] != nil, !connection.isCut else { continue }
            connection.cut()
            count += 1
        }
        // When nobody is left to go, whoever comes next looks again.
        if count > 0 { look() }
        if !cutIsScheduled { heaviest = [] }
    }

    /// The connections that keep most, the one with most last: what they keep alone, and their part of what others keep as
    /// well.
    private func weigh() -> [Outbound] {
        var weights: [(weight: Int, connection: Outbound)] = []
        for line in waiting.values where !line.connection.isCut {
            weights.append((weight(of: line), line.connection))
        }
        weights.sort { $0.weight < $1.weight }
        return weights.suffix(Self.weighedCount).map { $0.connection }
    }

    private func weight(of line: Line) -> Int {
        let shared = line.holds.prefix(Self.sampleCount).reduce(0) { sum, hold in
            guard let owner = hold.memory, let memory = memories[ObjectIdentifier(owner)] else { return sum }
            return sum + memory.byteCount / memory.holderCount
        }
        return line.copiedBytes + shared * line.holds.count / min(line.holds.count, Self.sampleCount)
    }
}

extension UnsentBytes.Line {
    fileprivate mutating func add(_ hold: UnsentBytes.Hold) {
        if hold.memory == nil { copiedBytes += hold.byteCount }
        holds.append(hold)
    }

    fileprivate mutating func grow(by byteCount: Int) {
        precondition(holds.last?.memory == nil, "Cannot lengthen a piece that others hold as well")
        holds[holds.index(before: holds.endIndex)].byteCount += byteCount
        copiedBytes += byteCount
    }

    fileprivate mutating func removeFirst() -> UnsentBytes.Hold? {
        let hold = holds.popFirst()
        if let hold, hold.memory == nil { copiedBytes -= hold.byteCount }
        return hold
    }
}
