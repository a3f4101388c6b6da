import BrokerCore
import NIOHTTP1

/// What one event loop counts: plain numbers that only this loop changes, read on it when somebody asks.
struct LoopCounters {
    /// How a connection is used.
    enum Transport: String, CaseIterable {
        case websocket, eventsource, http
    }
    /// The connections of one transport.
    struct Connections {
        var open = 0
        var openedCount: UInt64 = 0
        var closedCounts = CaseCounts<ConnectionEnd>()
        var receivedBytes: UInt64 = 0
        var sentBytes: UInt64 = 0
        var deliveredCount: UInt64 = 0

        mutating func begin() {
            open += 1
            openedCount += 1
        }

        mutating func end(_ reason: ConnectionEnd) {
            open -= 1
            closedCounts[reason] += 1
        }

        mutating func merge(_ other: Connections) {
            open += other.open
            openedCount += other.openedCount
            receivedBytes += other.receivedBytes
            sentBytes += other.sentBytes
            deliveredCount += other.deliveredCount
            closedCounts.merge(other.closedCounts)
        }
    }
    /// A kind of request and its answer.
    struct Request: Hashable {
        let route: String
        let method: String
        let status: Int
    }
    var sockets = Connections()
    var streams = Connections()
    var requests = Connections()
    /// Handshakes of TLS that failed.
    var rejectedTLS: UInt64 = 0
    var rejectedHandshakes: UInt64 = 0
    var rejectedOrigins: UInt64 = 0
    var rejectedCredentials: UInt64 = 0
    /// Texts of WebSockets that are no batch, or one beyond a limit: they were passed over.
    var ignoredTexts: UInt64 = 0
    /// How often an address had to wait because its share of the loop's time was used up.
    var delayedReads: UInt64 = 0
    var answers: [Request: UInt64] = [:]
    /// From a ping to the next sign of life, in seconds.
    var pongs = Histogram(bounds: Histogram.seconds)
    /// From a publication's arrival at the router, or its outcome of the store, to the end of the turn that wrote it, in
    /// seconds: one value for each turn, that of the oldest.
    var deliveryLag = Histogram(bounds: Histogram.seconds)
    /// How much later than it should the loop came to its periodic work, in seconds.
    var lag = Histogram(bounds: Histogram.seconds)

    subscript(_ transport: Transport) -> Connections {
        switch transport {
        case .websocket: sockets
        case .eventsource: streams
        case .http: requests
        }
    }

    /// Counts an answered request. The labels are of closed sets, whatever the client sent.
    mutating func answer(_ head: HTTPRequestHead, route: String, status: HTTPResponseStatus) {
        let method =
            switch head.method {
            case .GET, .HEAD, .POST, .PUT, .DELETE, .OPTIONS: head.method.rawValue
            default: "other"
            }
        answers[Request(route: route, method: method, status: Int(status.code)), default: 0] += 1
    }
}
