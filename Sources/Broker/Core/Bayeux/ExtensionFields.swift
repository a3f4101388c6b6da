/// What a client asks for in the `ext` of a meta message, and what the reply's `ext` says to it.
///
/// - `ack`: CometD's acknowledgement extension. `true` in a handshake turns it on; in a connect it is the number of the
///   last batch that the client has.
/// - `timesync`: CometD's time synchronization. The client's `tc` comes back with the broker's time `ts`, the time `p`
///   that the answer took, both in milliseconds, and the accuracy `a` of the client's offset.
/// - `binary`: CometD's binary data, which the broker passes on as it is (Z85 text).
struct ExtensionFields {
    private let ext: JSONSlice

    init(of envelope: Envelope) {
        ext = envelope.ext
    }

    /// Whether a handshake turns acknowledgements on: `true`, or an object as newer clients send it.
    func wantsAcknowledgements(in text: RawSpan) -> Bool {
        let ack = ext.member("ack", in: text)
        return ack.bool == true || ack.kind == .object && ack.member("enabled", in: text).bool == true
    }

    /// The batch that a connect acknowledges.
    func acknowledgedBatch(in text: RawSpan) -> Int64? {
        let ack = ext.member("ack", in: text)
        return ack.integer(in: text) ?? ack.member("batch", in: text).integer(in: text)
    }

    /// The members of a handshake's reply.
    func handshakeReply(now: Moment, in text: RawSpan) -> ReplyExtension {
        var reply = ReplyExtension()
        guard ext.kind == .object else { return reply }
        if wantsAcknowledgements(in: text) { reply.add(#""ack":true"#) }
        if ext.member("binary", in: text).bool == true { reply.add(#""binary":true"#) }
        addTimesync(now: now, in: text, to: &reply)
        return reply
    }

    /// Answers the client's clock: nothing if it did not ask.
    func addTimesync(now: Moment, in text: RawSpan, to reply: inout ReplyExtension) {
        let timesync = ext.member("timesync", in: text)
        guard timesync.kind == .object, let clientTime = timesync.member("tc", in: text).integer(in: text) else {
            return
        }
        let lag = timesync.member("l", in: text).integer(in: text) ?? 0
        let offset = timesync.member("o", in: text).integer(in: text) ?? 0
        // What the client would be told its clock is off by, were its idea of the lag right.
        let accuracy = clientTime &+ offset &+ lag &- now.wall
        reply.add(#""timesync":{"tc":\#(clientTime),"ts":\#(now.wall),"p":0,"a":\#(accuracy)}"#)
    }
}

/// The `ext` of a reply, put together member by member.
package struct ReplyExtension: Equatable, Sendable {
    private var members: [UInt8] = []

    /// Nothing to say.
    package init() {}

    mutating func add(_ member: String) {
        if !members.isEmpty { members += ",".utf8 }
        members += member.utf8
    }

    /// `"ext":{…},`, or nothing.
    func append(to bytes: inout [UInt8]) {
        guard !members.isEmpty else { return }
        bytes += #""ext":{"#.utf8
        bytes += members
        bytes += "},".utf8
    }
}
