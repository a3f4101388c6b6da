import BrokerCore
import Dispatch
import GRDB
import Synchronization
import Testing

@testable import BrokerStore

/// Connections that read while the store closes.
@Suite("Connections that read")
struct ReaderPoolTests {
    /// Whether what was read had a connection, in order.
    private final class Reads: Sendable {
        private let reads = Mutex<[Bool]>([])

        var all: [Bool] { reads.withLock { $0 } }

        func append(_ hasConnection: Bool) { reads.withLock { $0.append(hasConnection) } }
    }

    @Test("What is being read when the pool closes is read, and what waits is not")
    func closed() throws {
        let folder = try TemporaryFolder()
        let opened = try OpenedStore(.sqlite, in: folder)
        defer { opened.store.close() }
        let pool = ReaderPool(path: folder.file("fanfare.db"))
        try pool.open(count: 1)
        let reads = Reads()
        let hasBegun = DispatchSemaphore(value: 0)
        let mayGoOn = DispatchSemaphore(value: 0)
        pool.read { database in
            reads.append(database != nil)
            hasBegun.signal()
            mayGoOn.wait()
        }
        for _ in 1...100 { pool.read { reads.append($0 != nil) } }
        hasBegun.wait()
        let isClosed = DispatchSemaphore(value: 0)
        DispatchQueue(label: "closing").async {
            pool.close()
            isClosed.signal()
        }
        // What would begin now finds it closed: from here on it waits for the first one only.
        while (try? pool.readAtLeisure { _ in }) != nil {}
        mayGoOn.signal()
        isClosed.wait()
        #expect(reads.all == [true] + Array(repeating: false, count: 100))
    }
}
