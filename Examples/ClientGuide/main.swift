// client-guide URL [TOKEN-FILE]
//
// What the guide of FanfareClient shows, as a program: it runs through all of it against a broker, and says what it got.
// The broker needs a history for /guide/**. With a file of tokens, which something else renews, it goes on for longer than
// one of them is good for.

import FanfareClient
import Foundation

guard (2...3).contains(CommandLine.arguments.count) else {
    FileHandle.standardError.write(Data("usage: client-guide URL [TOKEN-FILE]\n".utf8))
    exit(64)
}
let url = CommandLine.arguments[1]

/// A client that is connected.
func connected() async throws -> BayeuxClient {
    var configuration = ClientConfiguration(endpoint: try Endpoint(url))
    configuration.proxies = try ProxySettings(environment: ProcessInfo.processInfo.environment)
    configuration.token = ProcessInfo.processInfo.environment["FANFARE_TOKEN"]
    configuration.maximumFirstOutage = .seconds(30)
    let client = try BayeuxClient(configuration)
    try await client.connect()
    return client
}

/// A client whose tokens expire, and are fetched anew in time.
func connected(tokenFile: String) async throws -> BayeuxClient {
    var configuration = ClientConfiguration(endpoint: try Endpoint(url))
    configuration.tokenSource = TokenSource {
        let text = try String(contentsOfFile: tokenFile, encoding: .utf8)
        guard !text.isEmpty else { throw TokenSource.Unauthorized("log in first") }
        return text
    }
    let client = try BayeuxClient(configuration)
    try await client.connect()
    return client
}

/// Prints a line at once, also into a pipe.
func say(_ line: String) {
    FileHandle.standardOutput.write(Data("\(line)\n".utf8))
}

/// Publishes and hears it, again and again; says when that came to an end.
func outlive(_ client: BayeuxClient) async throws {
    async let states: Void = {
        for await state in client.states() {
            if case .connected(_, let resumed) = state { say(resumed ? "back in the session" : "in a new session") }
        }
    }()
    let messages = try await client.subscribe(to: "/guide/clock")
    do {
        try await client.publish("0", to: "/guide/clock")
        for try await message in messages {
            let tick = Int(String(decoding: message.data, as: UTF8.self)) ?? 0
            say("tick \(tick)")
            try await Task.sleep(for: .milliseconds(200))
            try await client.publish("\(tick + 1)", to: "/guide/clock")
        }
    } catch let error as ClientError {
        say("over: \(error)")
    }
    await client.close()
    await states
}

/// Prints what comes, until there were so many.
func read(_ client: BayeuxClient, count: Int) async throws {
    let messages = try await client.subscribe(to: ["/guide/**", "/news"])
    var seen = 0
    for try await message in messages {
        print(message.channel, String(decoding: message.data, as: UTF8.self))
        seen += 1
        if seen == count { break }
    }
    await messages.unsubscribe()
}

/// Publishes one document, many, and one that is kept.
func publish(_ client: BayeuxClient) async throws {
    try await client.publish(#"{"text":"Hello"}"#, to: "/guide/room")

    let numbers = (1...1000).map { Publication(Array("\($0)".utf8), to: "/guide/numbers") }
    for outcome in try await client.enqueue(numbers).outcomes() {
        if case .failure(let error) = outcome { print("refused:", error) }
    }

    var theme = Publication(Array(#""dark""#.utf8), to: "/guide/theme", retain: true)
    theme.wantsReceipt = true
    let receipt = try await client.publish(theme)
    print("kept as number", receipt.sequence ?? 0, "for", receipt.matchedCount ?? 0, "subscribers")
}

/// Goes on behind the last message that another run has handled.
func resume(_ client: BayeuxClient, behind position: UInt64, epoch: String?) async throws -> UInt64 {
    var position = position
    let start = SubscribeOptions(start: .after(position, epoch: epoch))
    let messages = try await client.subscribe(to: "/guide/numbers", options: start)
    while let batch = try await messages.nextBatch() {
        for message in batch {
            if let gap = message.gap { print("lost:", gap.count ?? 0) }
            position = message.sequence ?? position
        }
        // Here the position would be saved, with the message's epoch.
        if batch.contains(where: { $0.data.elementsEqual("1000".utf8) }) { break }
    }
    return position
}

/// Asks a service, and tells what went wrong.
func ask(_ client: BayeuxClient) async -> String {
    do {
        let answer = try await client.request("/service/time", Array("{}".utf8))
        return String(decoding: answer.data, as: UTF8.self)
    } catch let error as ClientError where error.kind == .refused {
        return "no answer: \(error.answer ?? "")"
    } catch {
        return "\(error)"
    }
}

if CommandLine.arguments.count == 3 {
    try await outlive(try await connected(tokenFile: CommandLine.arguments[2]))
    exit(0)
}

let client = try await connected()
let watching = Task {
    for await state in client.states() {
        switch state {
        case .connected(_, let resumed): print(resumed ? "back in the session" : "in a new session")
        case .disconnected(let error, let retryAfter): print(error, "- again in", retryAfter)
        case .connecting, .closed: break
        }
    }
}
async let reading: Void = read(try await connected(), count: 2)
try await publish(client)
print("went on to", try await resume(client, behind: 0, epoch: nil) > 0)
print("the service says", await ask(client))
try await client.publish(#""news""#, to: "/news")
try await client.publish(#""news""#, to: "/news")
try await reading
await client.close()
await watching.value
