import BrokerFront

/// What the program says when it is ready: at most twelve lines, each something to do or to know.
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
        let port = ports.plain
        let isAnywhere = broker.host == "0.0.0.0" || broker.host == "::"
        let host = isAnywhere ? "127.0.0.1" : broker.host.contains(":") ? "[\(broker.host)]" : broker.host
        let base = "http://\(host):\(port)"
        let isDefault = base == "http://127.0.0.1:8000" && broker.endpoint == "/bayeux"
        let cli = Self.client + (isDefault ? "" : " --url \(base)\(broker.endpoint)")
        let access =
            broker.isLoopbackOnly
            ? "this machine only; for others, too: --listen 0.0.0.0:\(port)"
            : "everybody who reaches \(broker.host):\(port); for this machine only: --listen 127.0.0.1:\(port)"
        let tls = ports.tls.map { "  TLS        https://\(broker.tls?.host ?? host):\($0)\(broker.endpoint)\n" } ?? ""
        let page = broker.servesPage ? "\n  page       \(base)/" : ""
        return """
            Fanfare \(BrokerServerCommand.version) is ready. Ctrl-C stops it.\(page)
              subscribe  \(cli) subscribe '/demo/**'
              publish    \(cli) publish /demo/hello '{"text":"Hello"}'
                         curl -d '{"text":"Hello"}' \(base)/channels/demo/hello
              clients    \(base)\(broker.endpoint)
              data       \(settings.database.description)
              open to    \(access)
            \(AccessSummary(broker).banner)\(tls)
            """
    }
}
