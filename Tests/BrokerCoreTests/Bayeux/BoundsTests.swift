import Support
import Testing

@testable import BrokerCore

@Suite("Queue of messages")
struct MessageQueueTests {
    private func publication(_ number: Int, byteCount: Int = 1, sequence: UInt64? = nil) -> Publication {
        Publication(channel: "/a", json: [UInt8](repeating: UInt8(number % 256), count: byteCount), sequence: sequence)
    }

    private func limits(messages: Int, bytes: Int) -> Limits {
        var limits = Limits()
        limits.queuedMessages = messages
        limits.queuedBytes = bytes
        return limits
    }

    @Test("Keeps order, and is empty after all were taken")
    func order() {
        var queue = MessageQueue()
        #expect(queue.isEmpty)
        for number in 0..<5 { _ = queue.append(publication(number), within: limits(messages: 10, bytes: 100)) }
        #expect(queue.count == 5)
        #expect(queue.byteCount == 5)
        #expect(queue.takeAll(epoch: "e", patterns: []).map { $0.json[0] } == [0, 1, 2, 3, 4])
        #expect(queue.isEmpty)
        #expect(queue.byteCount == 0)
    }

    @Test("Too many: the oldest make room")
    func messageBound() {
        var queue = MessageQueue()
        for number in 0..<100 { _ = queue.append(publication(number), within: limits(messages: 3, bytes: 1000)) }
        #expect(queue.count == 3)
        let taken = queue.takeAll(epoch: "e", patterns: [])
        #expect(
            String(decoding: taken[0].json, as: UTF8.self)
                == #"{"channel":"/a","ext":{"epoch":"e","gap":{"count":97}}}"#)
        #expect(taken.dropFirst().map { $0.json[0] } == [97, 98, 99])
    }

    @Test("Too many bytes: the oldest make room, the newest stays even if it alone is too large")
    func byteBound() {
        var queue = MessageQueue()
        let limits = limits(messages: 100, bytes: 10)
        _ = queue.append(publication(1, byteCount: 4), within: limits)
        _ = queue.append(publication(2, byteCount: 6), within: limits)
        #expect(queue.count == 2)
        _ = queue.append(publication(3, byteCount: 5), within: limits)
        #expect(queue.count == 1)
        #expect(queue.byteCount == 5)
        _ = queue.append(publication(4, byteCount: 50), within: limits)
        #expect(queue.byteCount == 50)
        #expect(queue.takeAll(epoch: "e", patterns: []).dropFirst().map { $0.json[0] } == [4])
    }

    @Test("What the log has is no gap: its range is told")
    func logged() {
        var queue = MessageQueue()
        let limits = limits(messages: 2, bytes: 1000)
        let dropped = [nil, 3, 4, nil, 7, 9].enumerated().map { number, sequence in
            queue.append(publication(number, sequence: sequence), within: limits)
        }
        #expect(dropped == [nil, nil, nil, 3...3, 4...4, nil])
        #expect(queue.firstSequence == 7)
        #expect(queue.prepend((1...2).map { publication($0, sequence: $0 == 1 ? 5 : 6) }, within: limits) == 5...6)
        // Before them, the gap of the two without a number.
        #expect(queue.takeAll(epoch: "e", patterns: []).dropFirst().map(\.sequence) == [7, 9])
    }

    @Test("Random operations give what an array gives")
    func random() throws {
        var generator = SeededGenerator(seed: 3)
        var queue = MessageQueue()
        var model: [(number: Int, byteCount: Int)] = []
        var lostCount = 0
        let limits = limits(messages: 20, bytes: 100)
        for number in 0..<5000 {
            if Int.random(in: 0..<40, using: &generator) == 0 {
                let taken = queue.takeAll(epoch: "e", patterns: []).dropFirst(lostCount > 0 ? 1 : 0)
                #expect(taken.map { Int($0.json[0]) } == model.map { $0.number % 256 })
                model = []
                lostCount = 0
            }
            let byteCount = Int.random(in: 1...15, using: &generator)
            _ = queue.append(publication(number, byteCount: byteCount), within: limits)
            model.append((number, byteCount))
            while model.count > 20 || model.reduce(0, { $0 + $1.byteCount }) > 100 {
                model.removeFirst()
                lostCount += 1
            }
            #expect(queue.count == model.count)
            #expect(queue.byteCount == model.reduce(0) { $0 + $1.byteCount })
        }
    }
}

@Suite("Queue of deadlines")
struct DeadlineQueueTests {
    @Test("Gives what sorting gives", arguments: [1, 2, 3, 10, 1000])
    func sorting(count: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        var queue = DeadlineQueue<Int>()
        var model: [UInt64] = []
        for step in 0..<count * 3 {
            if step % 3 == 2, let first = queue.first {
                let until = first + UInt64.random(in: 0..<50, using: &generator)
                while let (deadline, subject) = queue.popFirst(until: until) {
                    #expect(deadline <= until)
                    #expect(UInt64(subject) == deadline)
                    #expect(deadline == model.min())
                    if let index = model.firstIndex(of: deadline) { model.remove(at: index) }
                }
                #expect(!model.contains { $0 <= until })
            }
            let deadline = UInt64.random(in: 0..<500, using: &generator)
            queue.insert(deadline, for: Int(deadline))
            model.append(deadline)
            #expect(queue.first == model.min())
        }
        var rest: [UInt64] = []
        while let (deadline, _) = queue.popFirst(until: .max) { rest.append(deadline) }
        #expect(rest == model.sorted())
        #expect(queue.first == nil)
    }

    @Test("Entries that do not stand any more can be left out, and the rest stays in order")
    func stale() {
        var generator = SeededGenerator(seed: 5)
        var queue = DeadlineQueue<Int>()
        let deadlines = (0..<500).map { _ in UInt64.random(in: 0..<1000, using: &generator) }
        for deadline in deadlines { queue.insert(deadline, for: Int(deadline)) }
        queue.removeAll { deadline, subject in
            #expect(Int(deadline) == subject)
            return deadline % 3 == 0
        }
        #expect(queue.count == deadlines.count { $0 % 3 != 0 })
        var rest: [UInt64] = []
        while let (deadline, _) = queue.popFirst(until: .max) { rest.append(deadline) }
        #expect(rest == deadlines.filter { $0 % 3 != 0 }.sorted())
    }

    @Test("Nothing comes before its time")
    func early() {
        var queue = DeadlineQueue<String>()
        queue.insert(10, for: "ten")
        #expect(queue.popFirst(until: 9) == nil)
        #expect(queue.popFirst(until: 10)?.subject == "ten")
        #expect(queue.popFirst(until: .max) == nil)
    }
}
