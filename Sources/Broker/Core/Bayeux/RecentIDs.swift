/// A session's last publications, by which a repeated one is known: clients send again, with the same id, what was not
/// acknowledged in time.
///
/// The id alone does not do: a page that goes on with its session after it was loaded again counts from 1 again.
struct RecentIDs {
    /// Stands for a publication: a 64-bit hash of its id, channel and data, as they were written, or of its data alone.
    struct ID: Equatable {
        private(set) var value: UInt64 = 0x9E37_79B9_7F4A_7C15

        /// One that was stored.
        init(stored value: UInt64) {
            self.value = value
        }

        init(_ envelope: Envelope, text: RawSpan) {
            mix(text.extracting(envelope.id.range))
            mix(text.extracting(envelope.channel.range))
            mix(text.extracting(envelope.data.range))
        }

        /// What is told from others by another name, and compared by this.
        init(data: RawSpan) {
            mix(data)
        }

        /// Sixteen bytes at a time, in two halves that do not wait for each other. A client that makes hashes collide only
        /// loses messages of its own.
        private mutating func mix(_ bytes: RawSpan) {
            bytes.withUnsafeBytes { bytes in
                mix(UInt64(bytes.count))
                var (other, offset) = (~value, 0)
                while offset + 16 <= bytes.count {
                    value = Self.mixed(value, bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                    other = Self.mixed(other, bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
                    offset += 16
                }
                // Without a block both halves are the same, and would cancel each other out.
                if offset > 0 { mix(other) }
                var rest: UInt64 = 0
                for (index, byte) in bytes[offset...].enumerated() {
                    rest = rest << 8 | UInt64(byte)
                    if index == 7 {
                        mix(rest)
                        rest = 0
                    }
                }
                mix(rest)
            }
        }

        private mutating func mix(_ word: UInt64) {
            value = Self.mixed(value, word)
        }

        private static func mixed(_ value: UInt64, _ word: UInt64) -> UInt64 {
            let product = (value ^ word) &* 0xD6E8_FEB8_6659_FD93
            return product ^ product >> 32
        }
    }

    private static let capacity = 128
    /// Up to here a look at each is the quickest.
    private static let scanCount = 16

    private var ids: [ID] = []
    private var next = 0
    /// How many ids fall into each bucket; with few of them there is no such table.
    private var buckets: [UInt8] = []

    func contains(_ id: ID) -> Bool {
        if !buckets.isEmpty, buckets[Self.bucket(of: id)] == 0 { return false }
        return ids.contains(id)
    }

    mutating func insert(_ id: ID) {
        if ids.count < Self.capacity {
            ids.append(id)
            if ids.count == Self.scanCount { fillBuckets() } else { count(id, 1) }
        } else {
            count(ids[next], -1)
            ids[next] = id
            next = (next + 1) % Self.capacity
            count(id, 1)
        }
    }

    /// Forgets an id whose publication was not taken after all.
    mutating func remove(_ id: ID) {
        guard let index = ids.firstIndex(of: id) else { return }
        ids.remove(at: index)
        next = ids.isEmpty ? 0 : next % ids.count
        count(id, -1)
    }

    private mutating func fillBuckets() {
        buckets = Array(repeating: 0, count: 1024)
        for id in ids { count(id, 1) }
    }

    private mutating func count(_ id: ID, _ change: Int) {
        guard !buckets.isEmpty else { return }
        let bucket = Self.bucket(of: id)
        buckets[bucket] = UInt8(clamping: Int(buckets[bucket]) + change)
    }

    private static func bucket(of id: ID) -> Int { Int(truncatingIfNeeded: id.value & 1023) }
}
