import BrokerCore
import BrokerFront

/// What is wrong with the listeners as a whole.
extension Settings {
    /// One line for each, with the place where the listener is.
    var listenerProblems: [String] {
        var problems: [String] = []
        if let problem = tls?.problem {
            let key = Setting.all.first { $0.group == "tls" && source(of: $0.name) != .standard }?.name ?? "tls"
            problems.append("\(source(of: key).description): \(problem)")
        }
        let asked = source(of: "tls.client-certificates")
        if asked != .standard, let problem = tls?.tls?.problemOfAsking {
            problems.append("\(asked.description): \(problem)")
        }
        let all = placedListeners
        if all.isEmpty { problems.append("\(source(of: "listen").description): there is no listener") }
        for (index, (place, listener)) in all.enumerated() {
            if listener.takesProxyHeader, !listener.isTrusted, broker.trust.isEmpty {
                problems.append("\(place): nobody may send a PROXY header to \(listener.name) without trusted-proxies")
            }
            for (_, other) in all[..<index] {
                if other.address.collides(with: listener.address) {
                    problems.append("\(place): there are two listeners at \(listener.address)")
                } else if other.name == listener.name, !isFree(listener) {
                    problems.append("\(place): there are two listeners named \(listener.name)")
                }
            }
        }
        return problems
    }

    /// Listeners on free ports that are called by their address need not differ.
    private func isFree(_ listener: ListenerOptions) -> Bool {
        guard case .tcp(_, 0) = listener.address, listener.tls == nil else { return false }
        return listener.name == listener.address.description
    }

    private var placedListeners: [(place: String, listener: ListenerOptions)] {
        let short = listen.map { (source(of: "listen").description, ListenerOptions($0)) }
        let secure = tls.map { [(source(of: "tls.listen").description, $0)] } ?? []
        let long = listeners.enumerated().map { (source(of: "listeners[\($0)]").description, $1) }
        return short + secure + long
    }
}
