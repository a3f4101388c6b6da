import BrokerCore
import Driver
import NIOHTTP1
import WebAssets

/// What the HTTP side of every connection shares.
final class HTTPServices: Sendable {
    /// Which pages are let in, and by which names the broker is addressed.
    let names: LiveNames
    /// How messages to WebSocket clients are compressed, if they are: each by itself, so that they all share it.
    let compression: PermessageDeflate?
    let configuration: BrokerConfiguration
    /// Who may do what.
    let access: AccessControl
    /// Where the connections come in that these are for.
    let listener: ListenerOptions
    /// What each listener has counted.
    let listeners: [ListenerCounter]
    /// Who is let in.
    let gate: Gatekeeper
    /// Knows how the broker is.
    let monitor: Monitor
    /// When the broker began to listen (ns, monotonic).
    let startedAt = SystemClock.monotonic
    /// Since when the files are as they are.
    let fileDate = FileDate(at: SystemClock.now.wall)
    /// What who takes gzip gets of them.
    let compressedFiles = CompressedFiles.all

    init(
        configuration: BrokerConfiguration, listener: ListenerOptions, listeners: [ListenerCounter],
        access: AccessControl, gate: Gatekeeper, names: LiveNames, monitor: Monitor
    ) {
        self.listener = listener
        self.listeners = listeners
        self.monitor = monitor
        self.gate = gate
        self.names = names
        self.configuration = configuration
        self.access = access
        compression = configuration.compressionBytes.flatMap { minimumBytes in
            var options = PermessageDeflate.Options()
            options.minimumBytes = minimumBytes
            options.noContextTakeover = true
            options.requestNoContextTakeover = true
            return try? PermessageDeflate(options)
        }
    }
}

extension HTTPServices {
    /// Whether the listener serves what is at a path: what is for operators may be served at others only.
    func isServedHere(_ path: Substring) -> Bool {
        if path == "/metrics" { return listener.servesMetrics }
        return listener.servesAdministration || !(path.hasPrefix("/admin/") || path.hasPrefix("/dashboard"))
    }

    /// The answer to a request that does not read what can only be read; nil for one that does.
    func unlessRead(_ head: HTTPRequestHead, _ path: Substring) -> HTTPResponse? {
        let methods = "GET, HEAD, OPTIONS"
        switch head.method {
        case .GET, .HEAD: return nil
        case .OPTIONS: return preflight(head, methods: methods)
        default: return .methodNotAllowed("\(path) can only be read", allowed: methods)
        }
    }
}
