import Testing

@testable import BrokerCore

@Suite("Places of sessions by their client ids")
struct SessionHandlesTests {
    @Test("An id is found by its very bytes")
    func places() {
        var handles = SessionHandles()
        let ids = ["a", "b", "", "\u{E9}", "e\u{301}", String(repeating: "x", count: 31)]
        for (place, id) in ids.enumerated() { handles[id] = UInt32(place) }
        #expect(handles.count == ids.count)
        #expect(ids.map { handles[$0] } == [0, 1, 2, 3, 4, 5])
        #expect(handles["A"] == nil)
        handles["b"] = nil
        #expect(handles["b"] == nil)
        #expect(handles.count == ids.count - 1)
    }

    @Test("What is secret is the same only if each byte is", arguments: [0, 1, 8, 31, 32])
    func secrets(count: Int) {
        let secret = (0..<count).map { UInt8($0) }
        let isItself = secret.span.bytes.holdsSameSecret(as: secret.span.bytes)
        #expect(isItself)
        for place in secret.indices {
            var other = secret
            other[place] ^= 0x80
            let isOther = secret.span.bytes.holdsSameSecret(as: other.span.bytes)
            #expect(!isOther)
        }
        let longer = secret + [0]
        let isLonger = secret.span.bytes.holdsSameSecret(as: longer.span.bytes)
        #expect(!isLonger)
    }
}
