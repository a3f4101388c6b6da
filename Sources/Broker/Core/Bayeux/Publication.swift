/// One message on its way to subscribers: made once, shared by all of them.
package final class Publication: Sendable {
    package let channel: ChannelName
    /// The delivered message, a JSON object: `channel`, `data`, and `ext` when it was stored.
    package let json: [UInt8]

    init(channel: ChannelName, json: [UInt8]) {
        self.channel = channel
        self.json = json
    }

    /// A publication that the store does not keep: it has no sequence number.
    convenience init(channel: ChannelName, data: RawSpan) {
        var json = Self.head(of: channel, capacity: data.byteCount + 1)
        data.withUnsafeBytes { json.append(contentsOf: $0) }
        json.append(UInt8(ascii: "}"))
        self.init(channel: channel, json: json)
    }

    /// A stored publication; `retained` marks one that a subscriber gets because it was kept, not because it is live.
    convenience init(_ stored: StoredPublication, epoch: String, retained: Bool) {
        var json = Self.head(of: stored.channel, capacity: stored.data.count + 96)
        json += stored.data
        json += #","ext":{"seq":\#(stored.sequence),"epoch":"\#(epoch)""#.utf8
        if retained { json += #","retained":true"#.utf8 }
        json += "}}".utf8
        self.init(channel: stored.channel, json: json)
    }

    /// `{"channel":"…","data":`. No legal channel name has a character that JSON escapes.
    private static func head(of channel: ChannelName, capacity: Int) -> [UInt8] {
        var json: [UInt8] = []
        json.reserveCapacity(channel.text.utf8.count + capacity + 24)
        json += #"{"channel":""#.utf8
        json += channel.text.utf8
        json += #"","data":"#.utf8
        return json
    }
}
