package import BrokerCore
import Dispatch

/// A store in memory that is through with each operation before `submit` returns, also with what has a thread of its own.
package final class PromptStore: Store {
    private let store: MemoryStore
    private let outcomeCount = DispatchSemaphore(value: 0)

    /// An empty store; `epoch` names its log.
    package init(epoch: String = "log") {
        store = MemoryStore(epoch: epoch)
    }

    package func open(handler: @escaping @Sendable ([StoreOutcome]) -> Void) throws(StoreError) -> StoredState {
        try store.open { [outcomeCount] outcomes in
            handler(outcomes)
            for _ in outcomes { outcomeCount.signal() }
        }
    }

    package func submit(_ operations: [StoreOperation]) {
        for operation in operations {
            store.submit([operation])
            outcomeCount.wait()
        }
    }

    package func close() { store.close() }
}
