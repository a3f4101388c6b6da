import Driver
import NIOCore
import Support
import Testing

@testable import BrokerFront

/// The frames of one turn: who gets which, in what order, in which pieces.
struct FanOutTests {
    /// What the connections of one turn were handed, by slot.
    private func drain(_ fanOut: inout FanOut) -> [UInt32: [ByteBuffer]] {
        var pieces: [UInt32: [ByteBuffer]] = [:]
        fanOut.drain { slot, piece in pieces[slot, default: []].append(piece) }
        return pieces
    }

    private func append(_ text: String, to fanOut: inout FanOut) -> FanOut.Frame {
        let bytes = Array(text.utf8)
        return fanOut.appendArray(of: bytes.span.bytes)
    }

    private func texts(_ pieces: [ByteBuffer]?) throws -> [String] {
        try (pieces ?? []).flatMap { try FrameReader.texts(in: $0) }
    }

    /// The lengths at which the header of a frame grows, the two brackets counted.
    @Test(arguments: [0, 1, 123, 124, 125, 65_533, 65_534, 65_535, 200_000])
    func frameHoldsAnArray(count: Int) throws {
        var fanOut = FanOut()
        let text = String(repeating: "x", count: count)
        fanOut.enqueue(append(text, to: &fanOut), for: 3)
        #expect(!fanOut.isEmpty)
        #expect(fanOut.byteCount > count)
        let pieces = drain(&fanOut)
        #expect(pieces.keys.sorted() == [3])
        #expect(try texts(pieces[3]) == ["[\(text)]"])
        #expect(fanOut.isEmpty)
    }

    @Test
    func oneFrameForAll() throws {
        var fanOut = FanOut()
        let frame = append("1", to: &fanOut)
        for slot in UInt32(0)..<100 { fanOut.enqueue(frame, for: slot) }
        let pieces = drain(&fanOut)
        #expect(pieces.count == 100)
        for slot in UInt32(0)..<100 { #expect(try texts(pieces[slot]) == ["[1]"]) }
    }

    @Test
    func frameThatNobodyGets() {
        var fanOut = FanOut()
        _ = append("1", to: &fanOut)
        #expect(fanOut.isEmpty)
        #expect(drain(&fanOut).isEmpty)
    }

    struct Row: CustomTestStringConvertible, Sendable {
        let testDescription: String
        /// For each frame of the turn, the slots that get it.
        let slots: [[UInt32]]
    }
    static let rows = [
        Row(testDescription: "contiguous", slots: [[0], [0], [0]]),
        Row(testDescription: "contiguous for two", slots: [[0, 1], [0, 1], [1, 0]]),
        Row(testDescription: "interleaved", slots: [[0], [1], [0], [1]]),
        Row(testDescription: "gap at the end", slots: [[0], [0], [1], [0]]),
        Row(testDescription: "later start", slots: [[1], [0, 1], [0], [0, 2]]),
        Row(testDescription: "the same frame twice", slots: [[0, 0], [0]]),
        Row(testDescription: "far slots", slots: [[5_000], [0], [5_000]]),
    ]

    @Test(arguments: rows)
    func orderIsKept(row: Row) throws {
        var fanOut = FanOut()
        var expected: [UInt32: [String]] = [:]
        for (number, slots) in row.slots.enumerated() {
            let frame = append("\(number)", to: &fanOut)
            for slot in slots {
                fanOut.enqueue(frame, for: slot)
                expected[slot, default: []].append("[\(number)]")
            }
        }
        let pieces = drain(&fanOut)
        #expect(pieces.keys.sorted() == expected.keys.sorted())
        for (slot, texts) in expected { #expect(try self.texts(pieces[slot]) == texts) }
    }

    @Test
    func piecesAreBounded() throws {
        var fanOut = FanOut()
        let sizes = [30_000, 30_000, 30_000, 100_000, 10, 65_530, 65_536, 10]
        for size in sizes { fanOut.enqueue(append(String(repeating: "x", count: size), to: &fanOut), for: 0) }
        let pieces = try #require(drain(&fanOut)[0])
        for piece in pieces {
            let count = try FrameReader.texts(in: piece).count
            #expect(piece.readableBytes <= FanOut.pieceBytes || count == 1)
        }
        #expect(try texts(pieces).map { $0.utf8.count - 2 } == sizes)
    }

    /// Pieces are shared memory: what is still waiting to be written must outlive the turns that follow.
    @Test(arguments: [10, 1_000, 100_000, 2_000_000])
    func piecesOutliveTheTurn(size: Int) throws {
        var fanOut = FanOut()
        var kept: [(text: String, piece: [ByteBuffer])] = []
        for character in "abc" {
            let text = String(repeating: character, count: size)
            // Contiguous for one connection, joined for the other.
            let first = append(text, to: &fanOut)
            let other = append("-", to: &fanOut)
            let second = append(text, to: &fanOut)
            fanOut.enqueue(first, for: 0)
            fanOut.enqueue(first, for: 1)
            fanOut.enqueue(other, for: 2)
            fanOut.enqueue(second, for: 1)
            let pieces = drain(&fanOut)
            kept.append(("[\(text)]", (pieces[0] ?? []) + (pieces[1] ?? [])))
        }
        for (text, pieces) in kept { #expect(try texts(pieces) == [text, text, text]) }
    }

    @Test(arguments: 1...20)
    func randomTurnsAgreeWithLists(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        var fanOut = FanOut()
        for _ in 0..<20 {
            var expected: [UInt32: [String]] = [:]
            for number in 0..<Int.random(in: 0...30, using: &generator) {
                let isLarge = Int.random(in: 0..<10, using: &generator) == 0
                let size = Int.random(in: 0...(isLarge ? 90_000 : 300), using: &generator)
                let text = "\(number)" + String(repeating: "x", count: size)
                let frame = append(text, to: &fanOut)
                for slot in UInt32(0)..<6 where Int.random(in: 0...Int(slot), using: &generator) == 0 {
                    fanOut.enqueue(frame, for: slot)
                    expected[slot, default: []].append("[\(text)]")
                }
            }
            let pieces = drain(&fanOut)
            #expect(pieces.keys.sorted() == expected.keys.sorted())
            for (slot, pieces) in pieces {
                #expect(try texts(pieces) == expected[slot])
                for piece in pieces where piece.readableBytes > FanOut.pieceBytes {
                    #expect(try FrameReader.texts(in: piece).count == 1)
                }
            }
        }
    }
}
