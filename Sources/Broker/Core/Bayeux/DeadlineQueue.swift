/// Deadlines in order of time: a binary heap of instants and what they are for.
///
/// An entry is not moved when its deadline changes: its owner looks, when the entry comes up, whether it still stands.
struct DeadlineQueue<Subject> {
    private var heap: [(deadline: UInt64, subject: Subject)] = []

    /// Entries, those included that do not stand any more.
    var count: Int { heap.count }

    /// Leaves out entries that do not stand any more; O(n log n).
    mutating func removeAll(where isStale: (UInt64, Subject) -> Bool) {
        heap.removeAll { isStale($0.deadline, $0.subject) }
        // In order they are a heap, too.
        heap.sort { $0.deadline < $1.deadline }
    }

    /// The earliest deadline (ns, monotonic).
    var first: UInt64? { heap.first?.deadline }

    /// Adds a deadline; O(log n).
    mutating func insert(_ deadline: UInt64, for subject: Subject) {
        heap.append((deadline, subject))
        var index = heap.count - 1
        while index > 0 {
            let parent = (index - 1) / 2
            guard heap[index].deadline < heap[parent].deadline else { break }
            heap.swapAt(index, parent)
            index = parent
        }
    }

    /// Removes the earliest entry if its time has come; O(log n).
    mutating func popFirst(until now: UInt64) -> (deadline: UInt64, subject: Subject)? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var index = 0
        while true {
            var smallest = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count {
                if heap[child].deadline < heap[smallest].deadline { smallest = child }
            }
            guard smallest != index else { return first }
            heap.swapAt(index, smallest)
            index = smallest
        }
    }
}
