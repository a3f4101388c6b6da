/// A dictionary in many parts. As long as somebody has a copy of it, a change copies the part that it is in, and no other:
/// what takes long reads a copy, and what changes something meanwhile hardly pays for that.
struct PartedDictionary<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    /// A power of two.
    private static var partCount: Int { 512 }

    private var parts: [[Key: Value]] = Array(repeating: [:], count: Self.partCount)
    /// How many keys have a value. Kept, for it is asked far more often than there is time to look at each part.
    private(set) var count = 0

    /// Nothing.
    init() {}

    /// Whether nothing is in it.
    var isEmpty: Bool { count == 0 }

    /// The part that a key belongs to. What changes in it is counted.
    private subscript(of key: Key) -> [Key: Value] {
        _read { yield parts[Self.part(of: key)] }
        _modify {
            let part = Self.part(of: key)
            let before = parts[part].count
            defer { count += parts[part].count - before }
            yield &parts[part]
        }
    }

    private static func part(of key: Key) -> Int { key.hashValue & (partCount - 1) }

    subscript(key: Key) -> Value? {
        get { self[of: key][key] }
        _modify { yield &self[of: key][key] }
    }

    subscript(key: Key, default value: @autoclosure () -> Value) -> Value {
        get { self[of: key][key, default: value()] }
        _modify { yield &self[of: key][key, default: value()] }
    }

    /// Removes a value; what it was.
    mutating func removeValue(forKey key: Key) -> Value? { self[of: key].removeValue(forKey: key) }

    /// Puts in a value; what it has taken the place of.
    mutating func updateValue(_ value: Value, forKey key: Key) -> Value? {
        self[of: key].updateValue(value, forKey: key)
    }
}

extension PartedDictionary: Sequence {
    func makeIterator() -> FlattenSequence<[[Key: Value]]>.Iterator { parts.joined().makeIterator() }
}
