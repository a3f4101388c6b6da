import BrokerCore
import Support
import Testing

@Suite("Envelope limits")
struct EnvelopeLimitsTests {
    private func scan(_ text: String, _ limits: EnvelopeLimits) throws(EnvelopeError) -> Int {
        var batch: [Envelope] = []
        try EnvelopeScanner(limits: limits).scan(text.utf8.span.bytes, into: &batch)
        return batch.count
    }

    @Test("Brackets count from the outermost on", arguments: [2, 3, 10, 63, 64])
    func depth(maximum: Int) throws {
        let limits = EnvelopeLimits(maximumDepth: maximum)
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            func nested(_ depth: Int) -> String {
                String(repeating: open, count: depth) + "0" + String(repeating: close, count: depth)
            }
            // A bare message, a message in an array, and a member that is no message.
            #expect(try scan("{\"data\":\(nested(maximum - 1))}", limits) == 1)
            #expect(try scan("[{\"data\":\(nested(maximum - 2))}]", limits) == 1)
            #expect(try scan("[\(nested(maximum - 1))]", limits) == 1)
            #expect(throws: EnvelopeError.tooDeep(maximum: maximum, offset: 8 + open.utf8.count * (maximum - 1))) {
                try scan("{\"data\":\(nested(maximum))}", limits)
            }
            #expect(throws: EnvelopeError.tooDeep(maximum: maximum, offset: 9 + open.utf8.count * (maximum - 2))) {
                try scan("[{\"data\":\(nested(maximum - 1))}]", limits)
            }
        }
    }

    @Test("Brackets side by side are not deep")
    func breadth() throws {
        let data = "[" + String(repeating: "[[]],{\"a\":{}},", count: 1000) + "[]]"
        #expect(try scan("{\"data\":\(data)}", EnvelopeLimits(maximumDepth: 4)) == 1)
        #expect(throws: EnvelopeError.tooDeep(maximum: 3, offset: 10)) {
            try scan("{\"data\":\(data)}", EnvelopeLimits(maximumDepth: 3))
        }
    }

    @Test("Brackets of both kinds are told apart down to the deepest")
    func mixedBrackets() throws {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<200 {
            let kinds = (0..<62).map { _ in Bool.random(using: &random) }
            let opened = kinds.map { $0 ? "{\"a\":" : "[" }.joined()
            let closed = kinds.reversed().map { $0 ? "}" : "]" }
            #expect(try scan("[{\"data\":\(opened)0\(closed.joined())}]", EnvelopeLimits()) == 1)
            var wrong = closed
            let index = Int.random(in: wrong.indices, using: &random)
            wrong[index] = wrong[index] == "}" ? "]" : "}"
            #expect(throws: EnvelopeError.self) {
                try scan("[{\"data\":\(opened)0\(wrong.joined())}]", EnvelopeLimits())
            }
        }
    }

    @Test("The messages of a batch are counted, of whatever kind")
    func messages() throws {
        let limits = EnvelopeLimits(maximumMessages: 3)
        #expect(try scan("[{},{},{}]", limits) == 3)
        #expect(try scan("[1,null,[1,2,3,4,5]]", limits) == 3)
        #expect(try scan("{\"data\":[{},{},{},{}]}", limits) == 1)
        #expect(throws: EnvelopeError.tooManyMessages(maximum: 3)) { try scan("[{},{},{},{}]", limits) }
        #expect(throws: EnvelopeError.tooManyMessages(maximum: 3)) { try scan("[1,1,1,1", limits) }
    }

    /// Sizes at which anything worse than linear, or a recursion, would not come to an end.
    @Test("Hostile texts are read to their end, or refused at once")
    func hostile() throws {
        let many = 200_000
        let zeros = "[0" + String(repeating: ",0", count: many) + "]"
        #expect(try scan("{\"data\":\(zeros)}", EnvelopeLimits()) == 1)
        #expect(throws: EnvelopeError.tooManyMessages(maximum: 1024)) { try scan(zeros, EnvelopeLimits()) }
        #expect(throws: EnvelopeError.tooDeep(maximum: 64, offset: 64)) {
            try scan(String(repeating: "[", count: many), EnvelopeLimits())
        }
        let longName = String(repeating: "\\u0063", count: many)
        #expect(try scan("{\"\(longName)\":1}", EnvelopeLimits()) == 1)
        let repeated = String(repeating: "\"chann\\u0065l\":1,", count: 20_000)
        #expect(try scan("{\(repeated)\"channel\":2}", EnvelopeLimits()) == 1)
        #expect(throws: EnvelopeError.notJSON(.unexpectedEnd, offset: many)) {
            try scan(String(repeating: " ", count: many), EnvelopeLimits())
        }
    }
}
