import BrokerCore

/// A Bayeux message as an extension sees it: a JSON object whose members are read and set one by one.
///
/// Values are JSON as it was written; nothing is decoded that is not asked for. Source: Bayeux 1.0 §3.
public struct BayeuxMessage: Sendable, Equatable {
    private var members: [(name: String, value: [UInt8])]

    /// Reads a JSON object; nil for anything else. Of members with the same name the last one counts.
    public init?(json: [UInt8]) {
        guard let whole = try? EnvelopeScanner().scanValue(validatingUTF8: json.span.bytes), whole.kind == .object
        else { return nil }
        members = []
        // A stranger says how many there are: a look through all for each of them would hold up an event loop.
        // Nor are names compared as texts, which takes more than linear time.
        var places: [[UInt8]: Int] = [:]
        var rest = whole.members
        while let (name, value) = rest.next(in: json.span.bytes) {
            guard let name = name.string(in: json.span.bytes) else { return nil }
            let value = Array(json[value.range])
            let bytes = Array(name.utf8)
            if let place = places[bytes] {
                members[place].value = value
            } else {
                places[bytes] = members.count
                members.append((name, value))
            }
        }
    }

    /// The message as JSON.
    public var json: [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "{")]
        for (index, member) in members.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(jsonString: member.name)
            bytes.append(UInt8(ascii: ":"))
            bytes += member.value
        }
        return bytes + [UInt8(ascii: "}")]
    }

    /// A member as JSON; nil if there is none. Setting what is no JSON has the message refused.
    public subscript(json name: String) -> [UInt8]? {
        get { members.last { $0.name.utf8.elementsEqual(name.utf8) }?.value }
        set {
            let index = members.firstIndex { $0.name.utf8.elementsEqual(name.utf8) }
            switch (index, newValue) {
            case (let index?, let value?): members[index].value = value
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append((name, value))
            case (nil, nil): break
            }
        }
    }

    /// A member that is a string; nil if there is none, or it is something else.
    public subscript(text name: String) -> String? {
        get {
            guard let value = self[json: name] else { return nil }
            return (try? EnvelopeScanner().scanValue(validatingUTF8: value.span.bytes))?.string(in: value.span.bytes)
        }
        set {
            self[json: name] = newValue.map { text in
                var value: [UInt8] = []
                value.append(jsonString: text)
                return value
            }
        }
    }

    /// The channel, such as `/meta/handshake` or `/chat`.
    public var channel: String? {
        get { self[text: "channel"] }
        set { self[text: "channel"] = newValue }
    }

    /// The session that the message says to be of.
    public var clientID: String? { self[text: "clientId"] }

    /// What is published, as JSON.
    public var data: [UInt8]? {
        get { self[json: "data"] }
        set { self[json: "data"] = newValue }
    }

    /// The object for extensions, as JSON.
    public var ext: [UInt8]? {
        get { self[json: "ext"] }
        set { self[json: "ext"] = newValue }
    }

    /// Whether both have the same members, in the same order.
    public static func == (left: Self, right: Self) -> Bool {
        left.members.elementsEqual(right.members) { $0 == $1 }
    }
}
