package import BrokerCore

/// What a program that embeds the broker wants to see, change and answer. Every closure is called on an event loop's
/// thread and must not block it.
package struct BrokerHooks: Sendable {
    /// What becomes of a message.
    package enum Verdict: Sendable, Equatable {
        /// It goes on as it is.
        case unchanged
        /// It goes on like this, a JSON object.
        case changed([UInt8])
        /// It is refused, with this as its reply's `error`.
        case refused(String)
    }

    /// Sees every message of a client (a JSON object) before the broker does. What comes by plain HTTP it sees as the
    /// message that asks for the same: a publication, or a subscription to what is to be read, which it can only refuse.
    package var incoming: (@Sendable (_ message: [UInt8], _ transport: String) -> Verdict)?
    /// Sees every reply and every message to subscribers; nil drops it. A publication comes once for many subscribers.
    package var outgoing: (@Sendable (_ message: [UInt8]) -> [UInt8]?)?
    /// Hears what happened.
    package var observer: (@Sendable (BrokerEvent) -> Void)?
    /// Answers messages to channels below `/service`, with JSON.
    package var services: [String: @Sendable (ServiceCall) async throws -> [UInt8]] = [:]
    /// How long a service may take.
    package var serviceTimeout = Duration.seconds(10)

    /// Nothing.
    package init() {}

    /// What the router has to know of it.
    var embedding: Embedding { Embedding(services: Set(services.keys), isObserved: observer != nil) }
}

extension BrokerHooks {
    /// Shows a batch to the incoming hook; the text to go on with, nil if nothing was changed.
    func review(_ batch: borrowing [Envelope], text: RawSpan, transport: String) -> [UInt8]? {
        guard let incoming else { return nil }
        var messages: [[UInt8]] = []
        var isChanged = false
        for index in batch.indices {
            var message: [UInt8] = []
            message.append(batch[index].whole, of: text)
            if batch[index].isObject {
                switch incoming(message, transport) {
                case .unchanged: break
                case .changed(let changed):
                    message = changed
                    isChanged = true
                case .refused(let error):
                    message = Self.refuse(message, error)
                    isChanged = true
                }
            }
            messages.append(message)
        }
        guard isChanged else { return nil }
        return [UInt8(ascii: "[")] + messages.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "]")]
    }

    /// Shows the hook a publication by plain HTTP.
    func review(_ data: RawSpan, to channel: ChannelName) -> Verdict {
        guard let incoming else { return .unchanged }
        var message = Array(#"{"channel":"#.utf8)
        message.append(jsonString: channel.text)
        message += #","data":"#.utf8
        data.withUnsafeBytes { message.append(contentsOf: $0) }
        message.append(UInt8(ascii: "}"))
        return incoming(message, Self.http)
    }

    /// Shows the hook that somebody wants to read a channel or pattern by plain HTTP; why it is refused, if it is.
    func refusal(ofReading channel: String) -> String? {
        guard let incoming else { return nil }
        var message = Array(#"{"channel":"/meta/subscribe","subscription":"#.utf8)
        message.append(jsonString: channel)
        message.append(UInt8(ascii: "}"))
        if case .refused(let error) = incoming(message, Self.http) { return error }
        return nil
    }

    /// How requests come, whatever they hold.
    static let http = "long-polling"

    /// The message with an `error`, which has the router refuse it with that very text. Of members that occur twice the
    /// last one counts.
    private static func refuse(_ message: [UInt8], _ error: String) -> [UInt8] {
        var refused = Array(message.dropLast())
        if refused.contains(UInt8(ascii: ":")) { refused.append(UInt8(ascii: ",")) }
        refused += #""error":"#.utf8
        refused.append(jsonString: error)
        refused.append(UInt8(ascii: "}"))
        return refused
    }
}
