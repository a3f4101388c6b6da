import Synchronization

/// Counts the connections of one listener.
final class ListenerCounter: Sendable {
    let name: String
    private let open = Atomic(0)
    private let opened = Atomic(0)

    init(name: String) {
        self.name = name
    }

    func enter() {
        open.add(1, ordering: .relaxed)
        opened.add(1, ordering: .relaxed)
    }

    func leave() {
        open.subtract(1, ordering: .relaxed)
    }

    /// Appends what all have counted. Listeners are named by the operator: they are few.
    static func append(_ counters: [ListenerCounter], to text: inout MetricsText) {
        text.begin("fanfare_listener_connections", .gauge, "Open connections, by listener.")
        for counter in counters {
            text.sample(
                "fanfare_listener_connections", [("listener", counter.name)], counter.open.load(ordering: .relaxed))
        }
        text.begin(
            "fanfare_listener_connections_opened_total", .counter, "Connections that were accepted, by listener.")
        for counter in counters {
            text.sample(
                "fanfare_listener_connections_opened_total", [("listener", counter.name)],
                counter.opened.load(ordering: .relaxed))
        }
    }
}
