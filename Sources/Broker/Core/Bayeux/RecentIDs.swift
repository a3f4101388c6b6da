/// The ids of a session's last publications, by which a repeated one is known: clients send again, with the same id,
/// what was not acknowledged in time.
struct RecentIDs {
    /// An id as it was written: one of up to 8 bytes stands for itself, a longer one for its 64-bit hash.
    struct ID: Equatable {
        private let value: UInt64

        init(_ id: RawSpan) {
            value = id.withUnsafeBytes { bytes in
                if bytes.count <= 8 { return bytes.reduce(0) { $0 << 8 | UInt64($1) } }
                // FNV-1a: a client that makes ids collide only loses messages of its own.
                return bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
            }
        }
    }

    private static let capacity = 128
    private var ids: [ID] = []
    private var next = 0

    func contains(_ id: ID) -> Bool { ids.contains(id) }

    mutating func insert(_ id: ID) {
        if ids.count < Self.capacity {
            ids.append(id)
        } else {
            ids[next] = id
            next = (next + 1) % Self.capacity
        }
    }

    /// Forgets an id whose publication was not taken after all.
    mutating func remove(_ id: ID) {
        guard let index = ids.firstIndex(of: id) else { return }
        ids.remove(at: index)
        next = ids.isEmpty ? 0 : next % ids.count
    }
}
