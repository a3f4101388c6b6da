import Driver
import Foundation

/// The broker's endpoint as a WebSocket URL.
struct Endpoint {
    /// As the user wrote it.
    let text: String
    let url: WebSocketURL

    /// `given`, else the environment's, else the default; `http` stands for `ws`.
    init(_ given: String?) throws(CLIError) {
        text = given ?? ProcessInfo.processInfo.environment["FANFARE_URL"] ?? "http://127.0.0.1:8000/bayeux"
        let webSocketText = text.hasPrefix("http") ? "ws" + text.dropFirst(4) : text
        do {
            url = try WebSocketURL(webSocketText)
        } catch {
            throw .usage("\(text) is no URL such as http://127.0.0.1:8000/bayeux")
        }
        guard !url.isSecure else { throw .usage("\(text): encrypted connections are not supported; use http or ws") }
    }
}
