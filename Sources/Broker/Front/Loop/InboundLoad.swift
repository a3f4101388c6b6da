import Synchronization

/// What an event loop has sent to the router's loop and the router has not taken in yet.
///
/// A loop that reads faster than the router takes in would fill the memory; so its connections are not read from while
/// this is above the upper bound, and read again when it has come down to the lower one.
final class InboundLoad: Sendable {
    private static let upperBytes = 1 << 20
    private static let lowerBytes = 1 << 18

    private let bytes = Atomic<Int>(0)

    /// More was sent; whether that is too much now.
    func add(_ count: Int) -> Bool {
        bytes.add(count, ordering: .relaxed).newValue > Self.upperBytes
    }

    /// Some was taken in; whether the lower bound was passed by that.
    func remove(_ count: Int) -> Bool {
        let (before, after) = bytes.subtract(count, ordering: .relaxed)
        return before > Self.lowerBytes && after <= Self.lowerBytes
    }
}
