/// One message on its way to subscribers: made once, shared by all of them.
package final class Publication: Sendable {
    /// Where it was published; a name, or the pattern of a subscriber who is told of a gap.
    package let channel: String
    /// The delivered message, a JSON object: `channel`, `data`, and `ext` when there is something to tell.
    package let json: [UInt8]
    /// Its sequence number, if it was stored.
    package let sequence: UInt64?
    /// What happens to it when a subscriber cannot keep up.
    let slow: SlowPolicy

    init(channel: String, json: [UInt8], sequence: UInt64? = nil, slow: SlowPolicy = .queue) {
        self.slow = slow
        self.channel = channel
        self.json = json
        self.sequence = sequence
    }

    /// The same publication with another message, a JSON object.
    package convenience init(_ publication: Publication, json: [UInt8]) {
        self.init(
            channel: publication.channel, json: json, sequence: publication.sequence, slow: publication.slow)
    }

    /// A publication that the store does not keep: it has no sequence number.
    convenience init(
        channel: ChannelName, data: RawSpan, isBinary: Bool = false, slow: SlowPolicy = .queue,
        trace: TraceParent? = nil
    ) {
        var json = Self.head(of: channel.text, capacity: data.byteCount + 24)
        json += #","data":"#.utf8
        data.withUnsafeBytes { json.append(contentsOf: $0) }
        if let trace {
            json += #","ext":{\#(isBinary ? #""binary":true,"# : "")"traceparent":"\#(trace.text)"}}"#.utf8
        } else {
            json += (isBinary ? #","ext":{"binary":true}}"# : "}").utf8
        }
        self.init(channel: channel.text, json: json, sequence: nil, slow: slow)
    }

    /// A stored publication; `retained` marks one that a subscriber gets because it was kept, not because it is live.
    convenience init(
        _ stored: StoredPublication, epoch: String, retained: Bool, slow: SlowPolicy = .queue,
        trace: TraceParent? = nil
    ) {
        var json = Self.head(of: stored.channel.text, capacity: stored.data.count + 112)
        json += #","data":"#.utf8
        json += stored.data
        json += #","ext":{"seq":\#(stored.sequence),"epoch":"\#(epoch)""#.utf8
        if retained { json += #","retained":true"#.utf8 }
        if stored.isBinary { json += #","binary":true"#.utf8 }
        if let trace { json += #","traceparent":"\#(trace.text)""#.utf8 }
        json += "}}".utf8
        self.init(channel: stored.channel.text, json: json, sequence: stored.sequence, slow: slow)
    }

    /// Tells of messages that the session did not get; it has no `data`.
    convenience init(_ gap: Gap, on channel: String, epoch: String) {
        var json = Self.head(of: channel, capacity: 128)
        json += #","ext":{"epoch":"\#(epoch)","gap":{"#.utf8
        var fields: [String] = []
        if let sequences = gap.sequences {
            fields.append(#""from":\#(sequences.lowerBound),"to":\#(sequences.upperBound)"#)
        }
        if let count = gap.count { fields.append(#""count":\#(count)"#) }
        json += fields.joined(separator: ",").utf8
        json += "}}}".utf8
        self.init(channel: channel, json: json, sequence: nil)
    }

    /// Tells a client that one of its subscriptions is taken away: a reply to `/meta/unsubscribe` that it did not ask for.
    convenience init(endOf pattern: ChannelPattern, of clientID: String, because error: BayeuxError) {
        let channel = "/meta/unsubscribe"
        var json = Self.head(of: channel, capacity: 160)
        json += #","successful":true,"clientId":"#.utf8
        json.append(jsonString: clientID)
        json += #","subscription":"#.utf8
        json.append(jsonString: pattern.text)
        json += #","error":"#.utf8
        json.append(jsonString: error.wire)
        json.append(UInt8(ascii: "}"))
        self.init(channel: channel, json: json)
    }

    /// `{"channel":"…"`. No legal channel name has a character that JSON escapes.
    private static func head(of channel: String, capacity: Int) -> [UInt8] {
        var json: [UInt8] = []
        json.reserveCapacity(channel.utf8.count + capacity + 32)
        json += #"{"channel":""#.utf8
        json += channel.utf8
        json.append(UInt8(ascii: "\""))
        return json
    }
}
