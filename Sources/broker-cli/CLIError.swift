import ArgumentParser
import BrokerCore
import FanfareClient

/// Something that ends the program: what it says on standard error, and its exit status (sysexits.h).
struct CLIError: Error, CustomStringConvertible {
    let description: String
    let status: ExitCode

    static func usage(_ text: String) -> Self { Self(description: text, status: ExitCode(64)) }
    static func data(_ text: String) -> Self { Self(description: text, status: ExitCode(65)) }
    static func missing(_ text: String) -> Self { Self(description: text, status: ExitCode(66)) }
    static func unreachable(_ text: String) -> Self { Self(description: text, status: ExitCode(69)) }
    static func commandFailed(_ text: String) -> Self { Self(description: text, status: ExitCode(70)) }
    static func cannotCreate(_ text: String) -> Self { Self(description: text, status: ExitCode(73)) }
    static func later(_ text: String) -> Self { Self(description: text, status: ExitCode(75)) }
    static func denied(_ text: String) -> Self { Self(description: text, status: ExitCode(77)) }
    static func timeout(_ text: String) -> Self { Self(description: text, status: ExitCode(124)) }
    /// A measurement missed its mark.
    static func tooSlow(_ text: String) -> Self { Self(description: text, status: ExitCode(1)) }
    /// A file or a pipe cannot be read or written.
    static func inputOutput(_ text: String) -> Self { Self(description: text, status: ExitCode(74)) }
    /// The reader of our output has gone; nothing is said, as with any program in a pipe.
    static let brokenPipe = Self(description: "", status: ExitCode(141))
    /// A signal asked us to stop.
    static func signal(_ number: Int32) -> Self { Self(description: "", status: ExitCode(128 + number)) }

    /// What the broker answered, in the form `code:arguments:text`.
    static func refused(_ what: String, error: String) -> Self {
        var text = "\(what): the broker answered \(error)"
        if error.hasPrefix("405:"), let end = error.lastIndex(of: ":") {
            // The broker's alphabet is narrower than the one that was checked for.
            let name = String(error[..<end].dropFirst(4))
            if let reason = channelError(name, mayBePattern: true, grammar: .faye) {
                text += ": \(reason)\(mark(reason, in: name))"
            }
        }
        switch error.prefix(3) {
        case "401", "403": return denied(text)
        case "407", "429", "500": return later(text)
        default: return data(text)
        }
    }

    /// What the client says; `what` is what was being done.
    init(_ error: ClientError, _ what: String, endpoint: Endpoint) {
        switch error.kind {
        case .refused where error.answer != nil: self = .refused(what, error: error.answer ?? "")
        case .refused: self = .data("\(what): \(error)")
        case .denied: self = .denied("\(endpoint): \(error)")
        case .unanswered: self = .timeout("\(endpoint): \(error)")
        case .unreachable where error.description.hasPrefix("no broker answers: "):
            let reason = error.description.dropFirst("no broker answers: ".count)
            self = .unreachable("no broker answers at \(endpoint): \(reason). Is broker-server running there?")
        default: self = .unreachable("\(endpoint): \(error)")
        }
    }

    /// What an answer over HTTP says that is no success.
    init(_ answer: HTTPConnection.Answer, _ what: String) {
        let detail = JSONText(answer.body).member("detail") ?? JSONText(answer.body).member("title") ?? ""
        let text = "\(what): the broker answered \(answer.status)\(detail.isEmpty ? "" : ": \(detail)")"
        switch answer.status {
        case 401, 403: self = .denied(text)
        case 404: self = .missing(text)
        case 429, 500...: self = .later(text)
        default: self = .data(text)
        }
    }

    /// The same, with something said before it.
    func prefixed(_ text: String) -> Self { Self(description: text + description, status: status) }

    private init(description: String, status: ExitCode) {
        self.description = description
        self.status = status
    }
}

/// Runs a command's work; an error is told and becomes the exit status.
func run(
    _ what: String, _ configuration: ClientConfiguration, _ work: () async throws -> Void
) async throws {
    do {
        do {
            try await work()
        } catch let error as ClientError {
            throw CLIError(error, what, endpoint: configuration.endpoint)
        }
    } catch let error as CLIError {
        if !error.description.isEmpty { Console.say(error.description) }
        throw error.status
    }
}

/// Tells an error of before there is a configuration.
func checked<Value>(_ work: () throws(CLIError) -> Value) throws -> Value {
    do throws(CLIError) {
        return try work()
    } catch {
        Console.say(error.description)
        throw error.status
    }
}
