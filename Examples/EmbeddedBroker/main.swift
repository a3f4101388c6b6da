// embedded-broker PORT: a broker inside of a program, with a rule of its own, a service, a log, and a client.

import Broker
import Foundation

/// Lets nobody publish below /news but who knows the word.
struct Bouncer: BrokerExtension {
    func incoming(_ message: inout BayeuxMessage, from sender: MessageSender) -> IncomingVerdict {
        guard message.channel?.hasPrefix("/news/") == true else { return .accept }
        guard message[text: "word"] == "please" else { return .refuse("403:/news:Say the word") }
        message[json: "word"] = nil
        return .accept
    }
}

/// Writes a line at once, whatever standard output is.
@Sendable func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
}

let broker = Broker(.init(port: CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 8000))
broker.add(Bouncer())
broker.observe { event in
    if case .subscribe(let clientID, let channel) = event { say("\(clientID) listens to \(channel)") }
}
broker.serve("/service/time") { _ in Array("\(Int(Date().timeIntervalSince1970))".utf8) }

try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await broker.run { port in say("http://127.0.0.1:\(port)/bayeux") } }
    group.addTask {
        let client = try await broker.client()
        for await message in try await client.subscribe(to: "/news/**") {
            say("\(message.channel): \(String(decoding: message.data ?? [], as: UTF8.self))")
        }
    }
    try await group.waitForAll()
}
