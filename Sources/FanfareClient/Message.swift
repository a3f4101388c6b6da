package import BrokerCore

/// A message as the broker delivered it.
public struct Message: Sendable {
    /// The message as the broker wrote it, one JSON object in UTF-8.
    public let json: [UInt8]
    package let envelope: Envelope
    /// What names the log, within `json`.
    let epochSlice: JSONSlice
    /// Its number in the broker's log; nil if it was not stored.
    public let sequence: UInt64?
    /// Whether it is what the channel retained, rather than something new.
    public let isRetained: Bool

    /// `whole` lies in `text`; the slices are made relative to it.
    init(_ envelope: Envelope, of text: RawSpan) {
        let range = envelope.whole.range
        let whole = text.extracting(range)
        json = whole.withUnsafeBytes { Array($0) }
        self.envelope = envelope.moved(by: envelope.whole.offset)
        let ext = envelope.ext
        var sequence: UInt64?
        var isRetained = false
        var epoch = JSONSlice.absent
        if ext.kind == .object {
            var members = ext.members
            while let (name, value) = members.next(in: text) {
                if name.equals("seq", in: text) {
                    sequence = value.integer(in: text).flatMap { UInt64(exactly: $0) }
                } else if name.equals("retained", in: text) {
                    isRetained = value.bool == true
                } else if name.equals("epoch", in: text) {
                    epoch = value.moved(by: envelope.whole.offset)
                }
            }
        }
        self.sequence = sequence
        self.isRetained = isRetained
        epochSlice = epoch
    }

    /// Whether it is of the log of that name.
    func epochEquals(_ epoch: [UInt8]) -> Bool { epochSlice.equals(epoch, in: json.span.bytes) }

    /// The channel that it was published to.
    public var channel: String { envelope.channel.string(in: json.span.bytes) ?? "" }

    /// Its `data`, JSON in UTF-8; empty in a message that only tells of a gap.
    public var data: ArraySlice<UInt8> {
        envelope.data.isAbsent ? [] : json[envelope.data.range]
    }

    /// The id that the broker gave it, if it did.
    public var id: String? { envelope.id.string(in: json.span.bytes) }

    /// What names the broker's log; numbers mean something only within one epoch.
    public var epoch: String? { epochSlice.string(in: json.span.bytes) }

    /// Messages of this channel that were not delivered, if the message tells of such.
    public var gap: Gap? {
        let gap = member("gap")
        guard gap.kind == .object else { return nil }
        func number(_ name: StaticString) -> UInt64? {
            gap.member(name, in: json.span.bytes).integer(in: json.span.bytes).flatMap { UInt64(exactly: $0) }
        }
        return Gap(from: number("from"), to: number("to"), count: number("count"))
    }

    /// A range of messages that a subscriber did not get.
    public struct Gap: Sendable, Equatable {
        /// The first number, if they were stored.
        public let from: UInt64?
        /// The last number, if they were stored.
        public let to: UInt64?
        /// How many they are, if that is known.
        public let count: UInt64?
    }

    private func member(_ name: StaticString) -> JSONSlice {
        envelope.ext.kind == .object ? envelope.ext.member(name, in: json.span.bytes) : .absent
    }
}

extension Envelope {
    /// The same, for a text that begins `distance` bytes later. Only what a delivered message has is kept.
    fileprivate func moved(by distance: UInt32) -> Envelope {
        var envelope = Envelope()
        envelope.whole = whole.moved(by: distance)
        envelope.channel = channel.moved(by: distance)
        envelope.id = id.moved(by: distance)
        envelope.data = data.moved(by: distance)
        envelope.ext = ext.moved(by: distance)
        return envelope
    }
}

extension JSONSlice {
    fileprivate func moved(by distance: UInt32) -> JSONSlice {
        isAbsent ? self : JSONSlice(kind: kind, offset: offset - distance, count: count)
    }
}
