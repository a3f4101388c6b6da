// first-steps URL
//
// What the README shows: it says something in a channel, and prints whatever is said there, for as long as it runs.

import FanfareClient

let url = CommandLine.arguments[1]  // http://127.0.0.1:8000/bayeux
let client = try BayeuxClient(ClientConfiguration(endpoint: Endpoint(url)))
try await client.connect()
let messages = try await client.subscribe(to: "/chat/**")
try await client.publish(#"{"text":"Hello"}"#, to: "/chat/room-1")
for try await message in messages {
    print(message.channel, String(decoding: message.data, as: UTF8.self))
}
