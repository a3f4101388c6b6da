/// A value that is seldom there: it takes one word where it is not, and a place of its own in memory where it is.
///
/// Whoever changes the value must not assign to the box meanwhile: nothing checks that.
struct OptionalBox<Value> {
    private final class Storage {
        @exclusivity(unchecked) var value: Value?

        init(_ value: Value) { self.value = value }
    }
    private var storage: Storage?

    /// The value; it is changed in its place.
    var value: Value? {
        _read {
            if let storage { yield storage.value } else { yield nil }
        }
        _modify {
            guard storage != nil else {
                var value: Value?
                defer { storage = value.map(Storage.init) }
                yield &value
                return
            }
            if !isKnownUniquelyReferenced(&storage) { storage = storage?.value.map(Storage.init) }
            defer { if storage?.value == nil { storage = nil } }
            yield &storage!.value
        }
    }
}

// What is shared by copies is not changed.
extension OptionalBox: @unchecked Sendable where Value: Sendable {}
