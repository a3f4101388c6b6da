import BrokerCore
import Driver
import NIOCore
import Support
import Testing

@testable import BrokerFront

/// The bytes of one turn: who gets which, in what order, in which pieces.
struct FanOutTests {
    /// One thing to be written, as text.
    enum Item: Sendable {
        /// To one connection alone.
        case own(UInt32)
        /// To the recipients of this number.
        case shared(Int)
    }

    /// A fan-out, and lists of what each connection is to get by the simplest means.
    struct Turn {
        var fanOut = FanOut()
        let groups: [Recipients]
        /// The forms of the slots; they stand in front of each text.
        var forms: [UInt32: UInt8] = [:]
        private(set) var expected: [UInt32: String] = [:]
        private(set) var writeCount = 0

        init(_ groups: [[UInt32]] = []) {
            self.groups = groups.map { Recipients(loop: 0, slots: $0) }
        }

        mutating func append(_ item: Item, _ text: String) {
            switch item {
            case .own(let slot):
                fanOut.append(to: slot) { $0.writeString(text) }
                expected[slot, default: ""] += text
            case .shared(let group):
                let forms = forms
                var counts: [UInt8: Int] = [:]
                fanOut.append(to: groups[group]) {
                    forms[$0] ?? 0
                } _: { form, count, buffer in
                    counts[form] = count
                    buffer.writeString("\(form)" + text)
                }
                writeCount += counts.count
                #expect(counts.values.reduce(0, +) == groups[group].slots.count)
                for slot in groups[group].slots { expected[slot, default: ""] += "\(forms[slot] ?? 0)" + text }
            }
        }

        /// What each connection is handed, in pieces.
        mutating func drain() -> [UInt32: [ByteBuffer]] {
            var pieces: [UInt32: [ByteBuffer]] = [:]
            fanOut.drain { slot, buffer, part in
                guard let piece = buffer.getSlice(at: part.lowerBound, length: part.count) else { return }
                pieces[slot, default: []].append(piece)
            }
            return pieces
        }

        mutating func check() {
            let pieces = drain()
            #expect(pieces.mapValues { text($0) } == expected)
            #expect(fanOut.isEmpty)
            #expect(fanOut.byteCount == 0)
            expected = [:]
        }
    }

    private static func text(_ pieces: [ByteBuffer]) -> String {
        pieces.map { String(buffer: $0) }.joined()
    }

    struct Row: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let groups: [[UInt32]]
        let items: [Item]
    }
    static let rows = [
        Row(testDescription: "one alone", groups: [], items: [.own(3), .own(3)]),
        Row(testDescription: "two in turns", groups: [], items: [.own(3), .own(0), .own(3), .own(0)]),
        Row(testDescription: "all the same", groups: [[0, 1, 2]], items: [.shared(0), .shared(0), .shared(0)]),
        Row(
            testDescription: "replies of one who gets nothing else", groups: [[0, 1, 2]],
            items: [.own(9), .shared(0), .own(9), .shared(0)]),
        Row(
            testDescription: "replies of one of the recipients", groups: [[0, 1, 2]],
            items: [.own(1), .shared(0), .own(1), .own(1), .shared(0), .shared(0), .own(1)]),
        Row(
            testDescription: "recipients in common", groups: [[0, 1], [1, 2], [0, 1, 2]],
            items: [.shared(0), .shared(1), .shared(0), .shared(0), .shared(2), .shared(1), .own(1), .shared(2)]),
        Row(
            testDescription: "far slots", groups: [[5_000, 1]],
            items: [.own(5_000), .shared(0), .own(0), .own(5_000), .shared(0)]),
    ]

    @Test(arguments: rows)
    func orderIsKept(row: Row) {
        var turn = Turn(row.groups)
        turn.forms = [1: 4]
        for (number, item) in row.items.enumerated() { turn.append(item, "[\(number)]") }
        turn.check()
    }

    @Test
    func publicationIsWrittenOnceForEachForm() {
        var turn = Turn([Array(0..<1000)])
        for slot in UInt32(0)..<1000 { turn.forms[slot] = UInt8(slot % 3) }
        for _ in 0..<5 { turn.append(.shared(0), "x") }
        #expect(turn.writeCount == 15)
        turn.check()
    }

    @Test
    func sameRecipientsShareOnePiece() throws {
        var turn = Turn([Array(0..<100)])
        for number in 0..<5 {
            turn.append(.own(200), "reply")
            turn.append(.shared(0), "[\(number)]")
        }
        let pieces = turn.drain()
        let shared = try #require(pieces[0]?.first)
        let address = shared.withUnsafeReadableBytes { $0.baseAddress }
        for slot in UInt32(0)..<100 {
            #expect(pieces[slot]?.count == 1)
            #expect(pieces[slot]?.first?.withUnsafeReadableBytes { $0.baseAddress } == address)
        }
        #expect(pieces[200]?.count == 1)
    }

    @Test
    func joinedPiecesAreBounded() {
        var turn = Turn([[0, 1]])
        let sizes = [30_000, 30_000, 30_000, 100_000, 10, 65_530, 65_536, 10]
        for size in sizes {
            turn.append(.own(0), String(repeating: "x", count: size))
            turn.append(.shared(0), "-")
        }
        let expected = turn.expected[0]
        let pieces = turn.drain()[0] ?? []
        #expect(Self.text(pieces) == expected)
        for piece in pieces { #expect(piece.readableBytes <= 100_000) }
        #expect(pieces.count { $0.readableBytes > FanOut.pieceBytes } == 1)
    }

    /// Pieces are shared memory: what is still waiting to be written must outlive the turns that follow.
    @Test(arguments: [10, 1_000, 100_000, 3_000_000])
    func piecesOutliveTheTurn(size: Int) {
        var turn = Turn([[0, 1, 2]])
        var kept: [(text: String, pieces: [ByteBuffer])] = []
        for character in "abc" {
            let text = String(repeating: character, count: size)
            turn.append(.own(3), text)
            turn.append(.shared(0), text)
            turn.append(.own(1), text)
            let pieces = turn.drain()
            kept.append((text, pieces[3] ?? []))
            kept.append(("0" + text, pieces[0] ?? []))
            kept.append(("0" + text + text, pieces[1] ?? []))
        }
        for (text, pieces) in kept { #expect(Self.text(pieces) == text) }
    }

    @Test(arguments: 1...20)
    func randomTurnsAgreeWithLists(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let groups = (0..<4).map { _ in (0..<8).filter { _ in Bool.random(using: &generator) } }
        var turn = Turn(groups.map { $0.map { UInt32($0) } })
        for _ in 0..<20 {
            for slot in UInt32(0)..<8 { turn.forms[slot] = UInt8.random(in: 0...1, using: &generator) }
            for number in 0..<Int.random(in: 0...30, using: &generator) {
                let isLarge = Int.random(in: 0..<10, using: &generator) == 0
                let size = Int.random(in: 0...(isLarge ? 90_000 : 300), using: &generator)
                let item: Item =
                    Bool.random(using: &generator)
                    ? .own(.random(in: 0..<8, using: &generator)) : .shared(.random(in: 0..<4, using: &generator))
                turn.append(item, "[\(number)" + String(repeating: "x", count: size) + "]")
            }
            turn.check()
        }
    }

    /// What a connection does not take must not hold the memory of a whole turn.
    @Test
    func piecesThatWait() {
        let buffer = ByteBuffer(repeating: 7, count: 1 << 20)
        let small = FanOut.piece(1000..<1040, of: buffer)
        #expect(small == ByteBuffer(repeating: 7, count: 40))
        #expect(small.capacity < 4096)
        let large = FanOut.piece(1000..<(1 << 20), of: buffer)
        #expect(large == ByteBuffer(repeating: 7, count: (1 << 20) - 1000))
        #expect(large.storageCapacity == buffer.storageCapacity)
    }
}
