// proxy-client [--proxy http://USER:PASSWORD@HOST:PORT] ws://HOST:PORT/PATH TEXT
//
// Sends a text over a WebSocket, through an HTTP proxy if there is one, and prints the first answer. SwiftNIO does the
// sockets and the clock, the driver the protocols. TLS is left out, so wss: is refused.

import Driver
import Foundation
import NIOCore
import NIOPosix

func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data("proxy-client: \(message)\n".utf8))
    exit(1)
}

var arguments = CommandLine.arguments.dropFirst()
var proxy: ProxyURL?
do {
    if arguments.first == "--proxy" {
        arguments = arguments.dropFirst()
        proxy = try ProxyURL(arguments.popFirst() ?? "")
    }
    guard arguments.count == 2, let address = arguments.popFirst(), let text = arguments.popFirst() else {
        fail("usage: proxy-client [--proxy URL] ws://HOST:PORT/PATH TEXT")
    }
    let url = try WebSocketURL(address)
    guard !url.isSecure, proxy?.isSecure != true else { fail("TLS is left out of this example: wss and https") }

    let group = MultiThreadedEventLoopGroup.singleton
    let answer = group.any().makePromise(of: String.self)
    let target = proxy
    let channel = try await ClientBootstrap(group: group)
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let handler = ProxyClientHandler(url: url, proxy: target, text: text, answer: answer)
                try channel.pipeline.syncOperations.addHandler(handler)
            }
        }
        .connect(host: proxy?.host ?? url.host, port: Int(proxy?.port ?? url.port)).get()
    print(try await answer.futureResult.get())
    // The closing handshake ends the connection.
    try await channel.closeFuture.get()
} catch {
    fail("\(error)")
}
