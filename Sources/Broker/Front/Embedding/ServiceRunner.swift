import BrokerCore
import Logging

/// Runs services of the embedding program, off the event loops; their answers come back through the router's mailbox.
struct ServiceRunner: Sendable {
    let hooks: BrokerHooks
    let logger: Logger

    /// Starts a call; `answer` gets what came of it, in any case.
    func run(_ call: ServiceCall, answer: @escaping @Sendable (Result<[UInt8], BayeuxError>) -> Void) {
        guard let service = hooks.services[call.channel.text] else { return answer(.failure(.internalError())) }
        let (timeout, logger) = (hooks.serviceTimeout, logger)
        Task {
            do {
                let data = try await withThrowingTaskGroup(of: [UInt8].self) { group in
                    group.addTask { try await service(call) }
                    group.addTask {
                        try await Task.sleep(for: timeout)
                        throw ServiceTimeout()
                    }
                    defer { group.cancelAll() }
                    return try await group.next() ?? []
                }
                answer(.success(try checked(data)))
            } catch let refusal as ServiceRefusal {
                answer(.failure(BayeuxError(code: refusal.code, arguments: [call.channel.text], text: refusal.text)))
            } catch {
                logger.error(
                    "a service failed", metadata: ["channel": "\(call.channel.text)", "error": "\(error)"])
                answer(.failure(.internalError()))
            }
        }
    }

    /// What a service returns goes to clients, so it has to be JSON.
    private func checked(_ data: [UInt8]) throws -> [UInt8] {
        _ = try EnvelopeScanner().scanValue(validatingUTF8: data.span.bytes)
        return data
    }
}

/// A service that refuses a request throws this: the client gets `code:channel:text`.
package struct ServiceRefusal: Error, Sendable {
    let code: Int
    let text: String

    /// A refusal.
    package init(code: Int, text: String) {
        self.code = code
        self.text = text
    }
}

private struct ServiceTimeout: Error, CustomStringConvertible {
    var description: String { "it took too long" }
}
