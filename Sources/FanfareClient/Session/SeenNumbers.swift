/// The last number that came of each channel: numbers grow within a channel only.
///
/// Bounded: beyond two generations of channels it forgets those of which nothing has come for longest.
struct SeenNumbers {
    static let generationCount = 2048

    private var recent: [String: UInt64] = [:]
    private var older: [String: UInt64] = [:]

    /// Takes a number down; false if it is not above the last one of the channel.
    mutating func advance(_ channel: String, to number: UInt64) -> Bool {
        let last = recent[channel]
        if let seen = last ?? older[channel], number <= seen { return false }
        if last == nil, recent.count == Self.generationCount {
            older = recent
            recent = [:]
        }
        recent[channel] = number
        return true
    }
}
