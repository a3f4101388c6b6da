import CAllocations

/// One implementation's way to do a workload once.
struct Contender {
    let name: String
    /// What comes before each run and is not counted.
    var prepare: () -> Void = {}
    /// Returns how many bytes of payload (or handshakes) came out, so that nothing can be left undone.
    let run: () -> Int
}

/// What a workload costs one contender.
struct Cost {
    let name: String
    /// Of the best round, per operation.
    let nanoseconds: Double
    /// Per operation, once warm.
    let allocations: Double
}

/// The same operation by several contenders, in turn, round after round: noise of the machine hits all of them.
struct Workload {
    let title: String
    /// Operations in one run.
    let operations: Int
    /// What all contenders must return.
    let expected: Int
    /// Bytes of payload per operation; 0 where a throughput says nothing.
    let payloadBytes: Int
    let contenders: [Contender]

    /// About this long is one round of one contender: short, so that on a busy machine many rounds are undisturbed.
    private static let roundNanoseconds = 1_000_000.0
    private static let rounds = 301

    func measure() -> [Cost] {
        let repeats = contenders.map { contender in
            for _ in 0..<2 { _ = once(contender) }
            return max(1, Int(Self.roundNanoseconds / max(once(contender).nanoseconds, 1)))
        }
        var best = [Double](repeating: .infinity, count: contenders.count)
        for _ in 0..<Self.rounds {
            for index in contenders.indices {
                let sum = (0..<repeats[index]).reduce(0.0) { sum, _ in sum + once(contenders[index]).nanoseconds }
                best[index] = min(best[index], sum / Double(repeats[index] * operations))
            }
        }
        return contenders.indices.map { index in
            let runs = 16
            let allocations = (0..<runs).reduce(0) { sum, _ in sum + once(contenders[index]).allocations }
            return Cost(
                name: contenders[index].name, nanoseconds: best[index],
                allocations: Double(allocations) / Double(runs * operations))
        }
    }

    private func once(_ contender: Contender) -> (nanoseconds: Double, allocations: UInt) {
        contender.prepare()
        let clock = ContinuousClock()
        let allocations = allocations_count()
        let start = clock.now
        let result = contender.run()
        let duration = start.duration(to: clock.now)
        precondition(result == expected, "\(title): \(contender.name) gave \(result) instead of \(expected)")
        return (
            Double(duration.components.seconds) * 1e9 + Double(duration.components.attoseconds) / 1e9,
            UInt(allocations_count() - allocations)
        )
    }
}
