/// A dictionary in many parts. As long as somebody has a copy of it, a change copies the part that it is in, and no other:
/// what takes long reads a copy, and what changes something meanwhile hardly pays for that.
struct PartedDictionary<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    /// A power of two.
    private static var partCount: Int { 512 }

    private var parts: [[Key: Value]] = Array(repeating: [:], count: Self.partCount)

    /// Nothing.
    init() {}

    /// Whether nothing is in it; looks at each part.
    var isEmpty: Bool { parts.allSatisfy(\.isEmpty) }

    private static func part(of key: Key) -> Int { key.hashValue & (partCount - 1) }

    subscript(key: Key) -> Value? {
        get { parts[Self.part(of: key)][key] }
        _modify { yield &parts[Self.part(of: key)][key] }
    }

    subscript(key: Key, default value: @autoclosure () -> Value) -> Value {
        get { parts[Self.part(of: key)][key, default: value()] }
        _modify { yield &parts[Self.part(of: key)][key, default: value()] }
    }

    /// Removes a value; what it was.
    mutating func removeValue(forKey key: Key) -> Value? { parts[Self.part(of: key)].removeValue(forKey: key) }

    /// Puts in a value; what it has taken the place of.
    mutating func updateValue(_ value: Value, forKey key: Key) -> Value? {
        parts[Self.part(of: key)].updateValue(value, forKey: key)
    }
}

extension PartedDictionary: Sequence {
    func makeIterator() -> FlattenSequence<[[Key: Value]]>.Iterator { parts.joined().makeIterator() }
}
