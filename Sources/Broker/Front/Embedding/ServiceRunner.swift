import BrokerCore
import Logging
import Synchronization

/// Runs services of the embedding program, off the event loops; their answers come back through the router's mailbox.
struct ServiceRunner: Sendable {
    let hooks: BrokerHooks
    let logger: Logger

    /// Starts a call; `answer` gets what came of it, in any case.
    func run(_ call: ServiceCall, answer: @escaping @Sendable (Result<[UInt8], BayeuxError>) -> Void) {
        guard let service = hooks.services[call.channel.text] else { return answer(.failure(.internalError())) }
        let (timeout, isAnswered) = (hooks.serviceTimeout, Once())
        let work = Task { try await checked(service(call)) }
        // A service that does not look whether it is cancelled is left to itself.
        let timer = Task {
            try await Task.sleep(for: timeout)
            work.cancel()
            if isAnswered.take() { answer(outcome(of: call, .failure(ServiceTimeout()))) }
        }
        Task {
            let result = await work.result
            timer.cancel()
            if isAnswered.take() { answer(outcome(of: call, result)) }
        }
    }

    private func outcome(
        of call: ServiceCall, _ result: Result<[UInt8], any Error>
    ) -> Result<[UInt8], BayeuxError> {
        switch result {
        case .success(let data): return .success(data)
        case .failure(let refusal as ServiceRefusal):
            return .failure(BayeuxError(code: refusal.code, arguments: [call.channel.text], text: refusal.text))
        case .failure(let error):
            logger.error("a service failed", metadata: ["channel": "\(call.channel.text)", "error": "\(error)"])
            return .failure(.internalError())
        }
    }

    /// What a service returns goes to clients as `data`, so it has to be JSON.
    private func checked(_ data: [UInt8]) throws -> [UInt8] {
        _ = try EnvelopeScanner().scanValue(validatingUTF8: data.span.bytes, openBrackets: 2)
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

/// Says who is the first.
private final class Once: Sendable {
    private let isTaken = Atomic(false)

    /// True for one caller.
    func take() -> Bool { !isTaken.exchange(true, ordering: .relaxed) }
}

private struct ServiceTimeout: Error, CustomStringConvertible {
    var description: String { "it took too long" }
}
