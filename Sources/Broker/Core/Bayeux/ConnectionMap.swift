/// A value for each connection: an array by event loop and slot, since slots are used again and never many more than
/// connections. Looking up is a few instructions, which a dictionary's hashing is not.
struct ConnectionMap<Value> {
    private var loops: [[Value?]]
    /// Connections that have a value.
    private(set) var count = 0

    /// For connections of so many loops.
    init(loopCount: UInt32) {
        loops = Array(repeating: [], count: Int(loopCount))
    }

    subscript(_ connection: ConnectionID) -> Value? {
        get {
            let loop = Int(connection.loop)
            guard loop < loops.count, Int(connection.slot) < loops[loop].count else { return nil }
            return loops[loop][Int(connection.slot)]
        }
        set {
            let (loop, slot) = (Int(connection.loop), Int(connection.slot))
            if slot >= loops[loop].count {
                guard newValue != nil else { return }
                loops[loop].append(contentsOf: repeatElement(nil, count: slot + 1 - loops[loop].count))
            }
            count += (newValue == nil ? 0 : 1) - (loops[loop][slot] == nil ? 0 : 1)
            loops[loop][slot] = newValue
        }
    }

    /// Removes a connection's value and returns it.
    mutating func removeValue(forKey connection: ConnectionID) -> Value? {
        defer { self[connection] = nil }
        return self[connection]
    }
}
