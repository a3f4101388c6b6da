import Broker
import Testing

/// Messages as extensions see them.
@Suite("A message for extensions", .timeLimit(.minutes(10)))
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

    @Test("Names are compared as bytes; to put their marks in order first would take minutes")
    func marksInDisorder() throws {
        let marks = String(repeating: "\u{301}\u{323}", count: 500_000)
        var message = try #require(BayeuxMessage(json: Array(#"{"\#(marks)":1,"\#(marks)x":2,"a":3}"#.utf8)))
        #expect(message.channel == nil)
        message[json: "a"] = nil
        let count = message.json.count
        #expect(count == 2 * marks.utf8.count + #"{"":1,"x":2}"#.utf8.count)
    }
}
