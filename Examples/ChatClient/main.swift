// chat-client URL CHANNEL NAME
//
// Prints what is said in a channel, and says each line of standard input. Lost connections are made again meanwhile.

import FanfareClient
import Foundation

let arguments = CommandLine.arguments
guard arguments.count == 4 else {
    FileHandle.standardError.write(Data("usage: chat-client URL CHANNEL NAME\n".utf8))
    exit(64)
}
let (channel, name) = (arguments[2], arguments[3])

var configuration = ClientConfiguration(endpoint: try Endpoint(arguments[1]))
configuration.proxies = try ProxySettings(environment: ProcessInfo.processInfo.environment)
let client = try BayeuxClient(configuration)
try await client.connect()
let messages = try await client.subscribe(to: channel)

let printing = Task {
    for try await message in messages {
        print(String(decoding: message.data, as: UTF8.self))
    }
}
while let line = readLine() {
    let document = try JSONEncoder().encode(["name": name, "text": line])
    try await client.publish(Publication(Array(document), to: channel))
}
await client.close()
try await printing.value
