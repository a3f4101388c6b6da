import BrokerCore
import Support
import Testing

/// A handshake that is refused: members beside the channel, and the error.
private struct RefusalRow: Sendable, CustomStringConvertible {
    let members: [String: JSON]
    let error: JSON
    var reconnect: JSON = "handshake"

    var description: String { "\(JSON.object(members))" }
}

@Suite("Handshake")
struct HandshakeTests {
    private static let types: JSON = [
        "long-polling", "cross-origin-long-polling", "callback-polling", "websocket", "eventsource",
        "in-process",
    ]

    @Test("A handshake is answered with a client id, the version, the types and advice")
    func success() throws {
        let harness = try RouterHarness()
        let message: JSON = [
            "channel": "/meta/handshake", "version": "1.0", "id": "7",
            "supportedConnectionTypes": ["callback-polling", "websocket"],
        ]
        let events = harness.send([message], from: harness.socket())
        guard case .reply(let reply)? = events.first, let clientID = reply["clientId"]?.text else {
            Issue.record("no client id in \(events)")
            return
        }
        #expect(clientID.utf8.count == 31)
        #expect(
            events == [
                .reply([
                    "channel": "/meta/handshake", "id": "7", "clientId": .string(clientID), "version": "1.0",
                    "supportedConnectionTypes": Self.types, "successful": true,
                    "advice": ["reconnect": "retry", "interval": 0, "timeout": 60_000],
                ])
            ])
        #expect(harness.sessionCount == 1)
    }

    @Test("A client id in the request is ignored")
    func clientIDIsIgnored() throws {
        let harness = try RouterHarness()
        let first = harness.handshake(harness.socket())
        let message: JSON = [
            "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"],
            "clientId": .string(first),
        ]
        let events = harness.send([message], from: harness.socket())
        guard case .reply(let reply)? = events.first else { return #expect(events.count == 1) }
        #expect(reply["successful"] == true)
        #expect(reply["clientId"] != nil)
        #expect(reply["clientId"] != .string(first))
        #expect(harness.sessionCount == 2)
    }

    private static let missingVersion: JSON = "402:version:Missing required parameter"
    private static let missingTypes: JSON = "402:supportedConnectionTypes:Missing required parameter"
    private static let refusals = [
        RefusalRow(members: ["supportedConnectionTypes": types], error: missingVersion),
        RefusalRow(members: ["version": "", "supportedConnectionTypes": types], error: missingVersion),
        RefusalRow(members: ["version": "1.0"], error: missingTypes),
        // Bad types hide a missing version.
        RefusalRow(members: [:], error: missingTypes),
        RefusalRow(members: ["version": "1.0", "supportedConnectionTypes": nil], error: missingTypes),
        RefusalRow(members: ["version": "1.0", "supportedConnectionTypes": ""], error: missingTypes),
        RefusalRow(
            members: ["supportedConnectionTypes": ["iframe", "flash"]],
            error: "301:iframe,flash:Connection types not supported"),
        RefusalRow(
            members: ["version": "1.0", "supportedConnectionTypes": "websocket"],
            error: "301:websocket:Connection types not supported"),
        RefusalRow(
            members: ["version": "1.0", "supportedConnectionTypes": "iframe"],
            error: "301:iframe:Connection types not supported"),
        RefusalRow(
            members: ["version": "1.0", "supportedConnectionTypes": []], error: "301::Connection types not supported"),
        RefusalRow(
            members: ["version": "1.0", "supportedConnectionTypes": 5], error: "301::Connection types not supported"),
        RefusalRow(
            members: ["version": "1.0", "supportedConnectionTypes": ["websocket": true]],
            error: "301::Connection types not supported"),
        // Whom an extension refuses, for such errors are its way to, stays away.
        RefusalRow(
            members: ["version": "1.0", "supportedConnectionTypes": types, "error": "no"], error: "no",
            reconnect: "none"),
        RefusalRow(members: ["supportedConnectionTypes": types, "error": "no"], error: missingVersion),
    ]

    @Test("Refused handshakes make no session and carry no client id", arguments: refusals)
    private func refusal(row: RefusalRow) throws {
        let harness = try RouterHarness()
        var message = row.members
        message["channel"] = "/meta/handshake"
        message["clientId"] = "mine"
        #expect(
            harness.send([.object(message)], from: harness.socket()) == [
                .reply([
                    "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": Self.types,
                    "advice": ["reconnect": row.reconnect], "successful": false, "error": row.error,
                ])
            ])
        #expect(harness.sessionCount == 0)
    }

    @Test("More sessions than allowed: 429, and advice to come back later")
    func sessionLimit() throws {
        var limits = Limits()
        limits.sessions = 2
        let harness = try RouterHarness(limits: limits)
        let first = harness.handshake(harness.socket())
        _ = harness.handshake(harness.socket())
        let message: JSON = [
            "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"],
        ]
        let peer = harness.socket()
        guard case .reply(let refusal)? = harness.send([message], from: peer).first else {
            Issue.record("no reply")
            return
        }
        #expect(refusal["error"] == "429:sessions:Limit reached")
        #expect(refusal["advice"] == ["reconnect": "handshake", "interval": 60_000])
        harness.disconnect(first, from: peer)
        _ = harness.handshake(peer)
        #expect(harness.sessionCount == 2)
    }
}
