import Broker
import Testing

/// Messages as extensions see them.
@Suite("A message for extensions", .timeLimit(.minutes(1)))
struct BayeuxMessageTests {
    private static func text(_ message: BayeuxMessage?) -> String? {
        message.map { String(decoding: $0.json, as: UTF8.self) }
    }

    @Test("Of members with the same name the last one counts, in the place of the first")
    func repeatedNames() {
        let message = BayeuxMessage(json: Array(#"{"a":1,"b":2,"\u0061":{"c":3},"b":4}"#.utf8))
        #expect(Self.text(message) == #"{"a":{"c":3},"b":4}"#)
        #expect(message?[json: "b"] == Array("4".utf8))
    }

    @Test("Members are set, added and removed")
    func changes() {
        var message = BayeuxMessage(json: Array(#"{"a":1,"b":2}"#.utf8))
        message?[json: "c"] = Array("3".utf8)
        message?[json: "a"] = nil
        message?[text: "b"] = "x"
        #expect(Self.text(message) == #"{"b":"x","c":3}"#)
    }

    @Test("Very many names cost no more than their number; in pairs they would take minutes")
    func manyNames() throws {
        let count = 200_000
        var json = Array("{".utf8)
        for number in 0..<count { json += #""member \#(number)":1,"#.utf8 }
        json[json.count - 1] = UInt8(ascii: "}")
        let message = try #require(BayeuxMessage(json: json))
        #expect(message.json.count == json.count)
        #expect(message[json: "member \(count - 1)"] == Array("1".utf8))
    }
}
