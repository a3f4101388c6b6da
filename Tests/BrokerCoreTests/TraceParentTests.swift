import Support
import Testing

@testable import BrokerCore

/// `traceparent` on its way from a publisher to subscribers.
@Suite("Traces")
struct TraceParentTests {
    private static let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    @Test("Good ones", arguments: [good, "00-\(trace)-00f067aa0ba902b7-ff", "00-\(trace)-0000000000000001-00"])
    func accepted(text: String) {
        #expect(TraceParent(text)?.text == text)
    }

    @Test(
        "Bad ones",
        arguments: [
            "", "00", "00-\(trace)-00f067aa0ba902b7-0", "00-\(trace)-00f067aa0ba902b7-011",
            "01-\(trace)-00f067aa0ba902b7-01", "ff-\(trace)-00f067aa0ba902b7-01",
            "00-\(String(repeating: "0", count: 32))-00f067aa0ba902b7-01",
            "00-\(trace)-0000000000000000-01", "00-\(trace.uppercased())-00f067aa0ba902b7-01",
            "00_\(trace)-00f067aa0ba902b7-01", "00-\(trace)_00f067aa0ba902b7-01", "00-\(trace)-00f067aa0ba902b7_01",
            "00-\(trace)-00f067aa0ba902b7-0g", " \(good)", "\(good) ", "00-\(trace.dropLast())\"-00f067aa0ba902b7-01",
            "00-\(trace.dropLast(2))é-00f067aa0ba902b7-01",
        ])
    func refused(text: String) {
        #expect(TraceParent(text) == nil)
    }

    @Test("Every byte counts", arguments: 0..<TraceParent.byteCount)
    func everyByte(place: Int) {
        for byte in [UInt8(ascii: " "), UInt8(ascii: "g"), UInt8(ascii: "A"), UInt8(ascii: "\""), 0, 0x7f] {
            var bytes = Array(Self.good.utf8)
            bytes[place] = byte
            #expect(TraceParent(String(decoding: bytes, as: UTF8.self)) == nil)
        }
    }

    @Test("A subscriber gets it; one that is not good is passed over, and without one nothing is added")
    func delivered() throws {
        let harness = try RouterHarness()
        let (socket, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: socket)
        let publisher = harness.socket()
        harness.send([["channel": "/a", "data": 1, "ext": ["traceparent": .string(Self.good)]]], from: publisher)
        #expect(
            harness.take(socket) == [
                .push(["channel": "/a", "data": 1, "ext": ["traceparent": .string(Self.good)]])
            ])
        #expect(
            harness.traced == [
                TracedPublication(trace: try #require(TraceParent(Self.good)), sequence: nil, matchedCount: 1)
            ])
        harness.send([["channel": "/a", "data": 1, "ext": ["traceparent": "00-bad"]]], from: publisher)
        harness.send([["channel": "/a", "data": 1, "ext": ["traceparent": 7]]], from: publisher)
        let plain: JSON = ["channel": "/a", "data": 1]
        #expect(harness.take(socket) == [.push(plain), .push(plain)])
        #expect(harness.traced.count == 1)
        // Nobody gets it: that is told as well.
        harness.send([["channel": "/b", "data": 1, "ext": ["traceparent": .string(Self.good)]]], from: publisher)
        #expect(harness.traced.map(\.matchedCount) == [1, 0])
    }

    @Test("A stored publication takes it along while it is live; the log does not keep it")
    func stored() throws {
        let harness = try RouterHarness()
        let (socket, clientID) = harness.open()
        harness.subscribe(clientID, to: "/a", from: socket)
        let publisher = harness.socket()
        harness.send(
            [["channel": "/a", "data": 1, "ext": ["traceparent": .string(Self.good), "retain": true]]], from: publisher)
        let live = "\(harness.take(socket))"
        #expect(live.contains(Self.good))
        #expect(harness.traced.map(\.sequence) == [1])
        let (late, lateID) = harness.open()
        let replies = harness.subscribe(lateID, to: "/a", from: late)
        let replayed = "\(replies + harness.take(late))"
        #expect(replayed.contains("retained"))
        #expect(!replayed.contains(Self.trace))
    }
}
