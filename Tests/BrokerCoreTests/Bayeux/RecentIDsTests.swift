import Support
import Testing

@testable import BrokerCore

/// By what a repeated publication is known.
@Suite("Recent publications")
struct RecentIDsTests {
    private static func id(_ message: String) throws -> RecentIDs.ID {
        let text = Array(message.utf8)
        var batch: [Envelope] = []
        try EnvelopeScanner().scan(text.span.bytes, into: &batch)
        return RecentIDs.ID(batch[0], text: text.span.bytes)
    }

    @Test("Publications that differ in id, channel or data, in whatever byte, are told apart")
    func differences() throws {
        var seen: Set<UInt64> = []
        var count = 0
        for length in [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100] {
            for changed in 0...length {
                var letters = Array(repeating: "a", count: length)
                if changed < length { letters[changed] = "b" }
                let text = letters.joined()
                for message in [
                    #"[{"channel":"/a","id":"\#(text)","data":1}]"#, #"[{"channel":"/a\#(text)","id":"1","data":1}]"#,
                    #"[{"channel":"/a","id":"1","data":"\#(text)"}]"#,
                ] {
                    count += 1
                    seen.insert(try Self.id(message).value)
                }
            }
        }
        #expect(seen.count == count)
        #expect(
            try Self.id(#"[{"channel":"/a","id":"1","data":1}]"#) == Self.id(#"[{"data":1,"id":"1","channel":"/a"}]"#))
    }

    @Test("The last 128 are known, whatever came and went")
    func lastOnes() throws {
        var generator = SeededGenerator(seed: 11)
        var recent = RecentIDs()
        var model: [RecentIDs.ID] = []
        for number in 0..<2000 {
            let id = RecentIDs.ID(stored: UInt64.random(in: 0...UInt64(300), using: &generator) << 10)
            #expect(recent.contains(id) == model.contains(id), "\(number)")
            if !model.contains(id) {
                recent.insert(id)
                model.append(id)
                if model.count > 128 { model.removeFirst() }
            }
        }
    }
}
