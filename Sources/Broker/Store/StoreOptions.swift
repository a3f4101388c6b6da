package import BrokerCore
import Foundation

/// How a store in a file works.
package struct StoreOptions: Sendable {
    /// For how long a publication that is sent again is known (ms).
    package var repeatWindow: Int64 = 300_000
    /// Connections that read, each with a thread.
    package var readerCount = 2
    /// The log of SQLite is brought into the database when it has so many pages (of 4 KiB).
    package var checkpointPages: Int32 = 2_000
    package var limits = StoreLimits()
    /// The time in milliseconds since 1970.
    package var wall: @Sendable () -> Int64
    /// What a new log is called.
    package var makeEpoch: @Sendable () -> String

    /// The defaults, with a source of names and, unless told otherwise, the system's clock.
    package init(
        wall: @escaping @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970 * 1000) },
        makeEpoch: @escaping @Sendable () -> String
    ) {
        self.wall = wall
        self.makeEpoch = makeEpoch
    }
}
