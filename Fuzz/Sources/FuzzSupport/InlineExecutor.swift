import Synchronization

/// Runs asynchronous work to its end on the thread that asks for it: what traps in it ends the run of its input, and the
/// same input takes the same way.
package final class InlineExecutor: TaskExecutor {
    private final class Box<Value: Sendable>: Sendable {
        let value = Mutex<Value?>(nil)
    }
    private let jobs = Mutex<[UnownedJob]>([])

    package init() {}

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
    }

    /// What `work` comes to. It waits for nothing but actors that have no executor of their own.
    package func run<Value: Sendable>(_ work: @escaping @Sendable () async -> Value) -> Value {
        let box = Box<Value>()
        Task(executorPreference: self) {
            let value = await work()
            box.value.withLock { $0 = value }
        }
        while let job = next() { job.runSynchronously(on: asUnownedTaskExecutor()) }
        guard let value = box.value.withLock({ $0 }) else { fatalError("The work waits for another thread") }
        return value
    }

    private func next() -> UnownedJob? {
        jobs.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }
}
