/// How much a batch may ask for.
package struct EnvelopeLimits: Sendable, Equatable {
    /// The largest `maximumDepth` there is: the scanner keeps one bit per open bracket, in one 64-bit word.
    package static let depthCeiling = 64

    /// How many brackets may be open at once; the batch's and the message's own count, so 64 leave 62 to `data`.
    ///
    /// The broker itself needs one bit per level, but it hands `data` on to clients, whose parsers are often recursive
    /// and die of deep nesting; 64 is what other libraries take by default and more than data made by people has.
    package var maximumDepth: Int
    /// How many messages one batch may hold.
    package var maximumMessages: Int

    /// - Precondition: `maximumDepth` is in `2...EnvelopeLimits.depthCeiling`, `maximumMessages` is positive.
    package init(maximumDepth: Int = 64, maximumMessages: Int = 1024) {
        precondition(
            (2...Self.depthCeiling).contains(maximumDepth),
            "Cannot scan envelopes when the depth limit \(maximumDepth) is not in 2...\(Self.depthCeiling)")
        precondition(maximumMessages > 0, "Cannot scan envelopes when not one message is allowed")
        self.maximumDepth = maximumDepth
        self.maximumMessages = maximumMessages
    }
}
