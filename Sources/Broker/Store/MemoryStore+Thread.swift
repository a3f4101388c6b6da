package import BrokerCore
import Dispatch

extension MemoryStore.Worker {
    /// One with a thread of its own.
    package static func thread() -> Self {
        let queue = DispatchQueue(label: "fanfare.store.memory")
        return Self(start: { queue.async(execute: $0) }, finish: { queue.sync {} })
    }
}
