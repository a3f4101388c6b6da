/// What a client shall do next, in replies to handshake and connect (Bayeux 1.0 §8). Times are milliseconds.
package struct Advice: Equatable, Sendable {
    /// What the client does when its connect was answered or has failed.
    package enum Reconnect: String, Sendable {
        case retry, handshake, none
    }
    package var reconnect: Reconnect
    package var interval: Int?
    package var timeout: Int?

    /// The advice as a JSON object.
    package var json: String {
        var text = #"{"reconnect":"\#(reconnect.rawValue)""#
        if let interval { text += #","interval":\#(interval)"# }
        if let timeout { text += #","timeout":\#(timeout)"# }
        return text + "}"
    }
}
