import CAllocations
import Driver

/// What open connections hold while nothing happens on them; the scratch is shared, as by all of an event loop.
struct IdleMemory {
    /// The driver's own size, which is the owner's to place.
    let inlineBytes = MemoryLayout<ServerDriver>.stride
    /// What it keeps elsewhere, the allocator's own words included.
    let heapBytes: Double
    private static let count = 10_000

    init() {
        let drivers = UnsafeMutablePointer<ServerDriver>.allocate(capacity: Self.count)
        let scratch = DriverScratch()
        let message = Wire.maskedText(Wire.text(byteCount: 128))
        // Warm: what is made once per process or scratch is not a connection's.
        _ = Self.openDriver(scratch, message)
        let before = allocations_live_bytes()
        for index in 0..<Self.count { (drivers + index).initialize(to: Self.openDriver(scratch, message)) }
        heapBytes = Double(allocations_live_bytes() - before) / Double(Self.count)
        drivers.deinitialize(count: Self.count)
        drivers.deallocate()
    }

    /// Open, and after one message in each direction.
    private static func openDriver(_ scratch: DriverScratch, _ message: [UInt8]) -> ServerDriver {
        var connection = Connection(scratch: scratch)
        connection.driver.receive(message.span.bytes, into: &connection.sink)
        connection.driver.text("Hello")
        connection.driver.drainOutput { _ in }
        return connection.driver
    }
}
