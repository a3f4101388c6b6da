import BrokerFront
import Foundation

/// What the program says when it is ready: few lines, each something to do or to know.
struct Banner {
    let settings: Settings
    let ports: ListeningPorts

    /// `broker-cli` as it can be called from here: beside this program, if that was called by a path.
    private static var client: String {
        let path = CommandLine.arguments.first ?? ""
        return path[..<(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)] + "broker-cli"
    }

    var text: String {
        let broker = settings.broker
        let first = ports.listeners.first { $0.options.host != nil && $0.options.tls == nil } ?? ports.listeners[0]
        let base = Self.base(of: first)
        let isDefault = base == "http://127.0.0.1:8000" && broker.endpoint == "/bayeux"
        let cli = Self.client + (isDefault ? "" : " --url \(base)\(broker.endpoint)")
        let page = broker.servesPage ? "\n  page       \(base)/" : ""
        let others = ports.listeners.filter { $0.options != first.options || $0.port != first.port }
        return """
            Fanfare \(BrokerServerCommand.version) is ready. Ctrl-C stops it.\(page)
              subscribe  \(cli) subscribe '/demo/**'
              publish    \(cli) publish /demo/hello '{"text":"Hello"}'
                         curl -d '{"text":"Hello"}' \(base)/channels/demo/hello
              clients    \(base)\(broker.endpoint)
              data       \(settings.database.description)
              open to    \(access(first))
            \(AccessSummary(broker).banner)\(others.map(line).joined())
            """
    }

    /// Who gets in.
    private func access(_ first: OpenListener) -> String {
        // What listens at a Unix socket only has no port to tell.
        let port = ports.plain ?? 8000
        if settings.broker.isLoopbackOnly { return "this machine only; for others, too: --listen 0.0.0.0:\(port)" }
        let open = ports.listeners.first { !$0.options.address.isLocal } ?? first
        return "everybody who reaches \(Self.place(of: open)); for this machine only: --listen 127.0.0.1:\(port)"
    }

    /// A line for a listener that is not spoken of above.
    private func line(_ listener: OpenListener) -> String {
        let options = listener.options
        let kind = options.host == nil ? "socket" : options.tls == nil ? "also" : "TLS"
        let place = options.host == nil ? "\(options.address)" : Self.base(of: listener) + settings.broker.endpoint
        let isNamed = options.name != options.address.description && options.name != "tls"
        return "  \(kind)".padding(toLength: 13, withPad: " ", startingAt: 0) + place
            + (isNamed ? " (\(options.name))\n" : "\n")
    }

    /// `HOST:PORT` with the port that it has got.
    private static func place(of listener: OpenListener) -> String {
        guard let host = listener.options.host else { return "\(listener.options.address)" }
        return "\(ListenerAddress.tcp(host: host, port: listener.port ?? 0))"
    }

    /// What a URL begins with that reaches a listener from here.
    private static func base(of listener: OpenListener) -> String {
        let scheme = listener.options.tls == nil ? "http" : "https"
        guard let host = listener.options.host else { return "\(scheme)://localhost" }
        let near = host == "0.0.0.0" || host == "::" ? "127.0.0.1" : host
        return "\(scheme)://\(ListenerAddress.tcp(host: near, port: listener.port ?? 0))"
    }
}
