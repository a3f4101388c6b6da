/// The subscribers of one pattern, each once, side by side in memory: publishing reads them in one sweep.
///
/// Adding and removing are O(1): up to `scanLimit` subscribers are simply searched, above it a small hash table knows
/// each one's position. Removing puts the last into the gap, so the order is of no meaning.
struct SubscriberList {
    /// All of them; the table's owner reads this and nothing else.
    private(set) var handles: [UInt32] = []
    /// The position of each handle plus 1, at a place found by the handle's hash; 0 marks a free place. Open addressing
    /// with linear probing, a power of two in size and at most half full. Empty while searching is cheaper.
    private var positions: [UInt32] = []

    private static let scanLimit = 16

    /// The memory that it holds, in bytes.
    var reservedByteCount: Int { (handles.capacity + positions.capacity) * MemoryLayout<UInt32>.stride }

    /// Adds a subscriber; false when it was there already.
    mutating func insert(_ handle: UInt32) -> Bool {
        guard !contains(handle) else { return false }
        handles.append(handle)
        if handles.count * 2 > positions.count {
            if handles.count > Self.scanLimit { refile(places: Self.places(for: handles.count)) }
        } else {
            file(handles.count - 1)
        }
        return true
    }

    /// Removes a subscriber; false when it was not there.
    mutating func remove(_ handle: UInt32) -> Bool {
        let last = handles.count - 1
        let position: Int
        if positions.isEmpty {
            guard let found = handles.firstIndex(of: handle) else { return false }
            position = found
        } else {
            guard let place = place(of: handle) else { return false }
            position = Int(positions[place]) - 1
            clear(place)
            if position != last, let lastPlace = self.place(of: handles[last]) {
                positions[lastPlace] = UInt32(position + 1)
            }
        }
        handles[position] = handles[last]
        handles.removeLast()
        shrinkIfSparse()
        return true
    }

    private func contains(_ handle: UInt32) -> Bool {
        positions.isEmpty ? handles.contains(handle) : place(of: handle) != nil
    }

    /// Where a handle's position is written down.
    private func place(of handle: UInt32) -> Int? {
        var place = home(of: handle)
        while positions[place] != 0 {
            if handles[Int(positions[place]) - 1] == handle { return place }
            place = next(place)
        }
        return nil
    }

    /// Writes the position of a new handle down; there is a free place.
    private mutating func file(_ position: Int) {
        var place = home(of: handles[position])
        while positions[place] != 0 { place = next(place) }
        positions[place] = UInt32(position + 1)
    }

    /// Frees a place and moves those behind it back, so that no search ends too early.
    private mutating func clear(_ place: Int) {
        var hole = place
        var other = next(place)
        let mask = positions.count - 1
        while positions[other] != 0 {
            let home = home(of: handles[Int(positions[other]) - 1])
            if (other - home) & mask >= (other - hole) & mask {
                positions[hole] = positions[other]
                hole = other
            }
            other = next(other)
        }
        positions[hole] = 0
    }

    private mutating func refile(places: Int) {
        positions = [UInt32](repeating: 0, count: places)
        for position in handles.indices { file(position) }
    }

    /// Gives memory back once less than an eighth is used.
    private mutating func shrinkIfSparse() {
        guard handles.capacity > 2 * Self.scanLimit, handles.count * 8 < handles.capacity else { return }
        var fewer: [UInt32] = []
        fewer.reserveCapacity(handles.count * 2)
        fewer.append(contentsOf: handles)
        handles = fewer
        if handles.count <= Self.scanLimit {
            positions = []
        } else {
            refile(places: Self.places(for: handles.count))
        }
    }

    /// A power of two, between two and four times the count.
    private static func places(for count: Int) -> Int {
        1 << (Int.bitWidth - (2 * count - 1).leadingZeroBitCount)
    }

    /// Handles are small numbers given by the owner, not by strangers: one multiplication spreads them.
    private func home(of handle: UInt32) -> Int {
        let mixed = UInt64(handle) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: mixed >> 32) & (positions.count - 1)
    }

    private func next(_ place: Int) -> Int { (place + 1) & (positions.count - 1) }
}
