import BrokerCore
import FanfareClient

/// A message to print, from a subscription or from a history.
struct Received: Sendable {
    let json: [UInt8]
    let channel: String
    let data: ArraySlice<UInt8>
    let sequence: UInt64?
    let id: String?
    let epoch: String?
    let gap: Message.Gap?
    let isRetained: Bool

    init(_ message: Message) {
        json = message.json
        channel = message.channel
        data = message.data
        sequence = message.sequence
        id = message.id
        epoch = message.epoch
        gap = message.gap
        isRetained = message.isRetained
    }

    /// An element of a history.
    init(json: [UInt8]) {
        let text = JSONText(json)
        let ext = JSONText(text.raw("ext") ?? [])
        self.json = json
        channel = text.member("channel") ?? ""
        data = (text.raw("data") ?? [])[...]
        sequence = ext.integer("seq").flatMap { UInt64(exactly: $0) }
        id = text.member("id")
        epoch = ext.member("epoch")
        gap = nil
        isRetained = false
    }
}
