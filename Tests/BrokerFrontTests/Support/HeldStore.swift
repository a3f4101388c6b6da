import BrokerCore
import Synchronization

/// A store in memory that does nothing of what it is asked until it is released, as one does whose disk hangs.
final class HeldStore: Store {
    private let store = MemoryStore(epoch: "epoch")
    /// What it was asked; nil once it is released.
    private let held = Mutex<[StoreOperation]?>([])

    func open(handler: @escaping @Sendable ([StoreOutcome]) -> Void) throws(StoreError) -> StoredState {
        try store.open(handler: handler)
    }

    func submit(_ operations: [StoreOperation]) {
        let isHeld = held.withLock { held in
            held?.append(contentsOf: operations)
            return held != nil
        }
        if !isHeld { store.submit(operations) }
    }

    /// Does all that it was asked, in order; from now on at once.
    func release() {
        let operations = held.withLock { $0.take() }
        store.submit(operations ?? [])
    }

    func close() {
        store.close()
    }
}
