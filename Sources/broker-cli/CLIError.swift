import ArgumentParser

/// Something that ends the program: what it says on standard error, and its exit status (sysexits.h).
struct CLIError: Error, CustomStringConvertible {
    let description: String
    let status: ExitCode

    static func usage(_ text: String) -> Self { Self(description: text, status: ExitCode(64)) }
    static func data(_ text: String) -> Self { Self(description: text, status: ExitCode(65)) }
    static func unreachable(_ text: String) -> Self { Self(description: text, status: ExitCode(69)) }
    static func later(_ text: String) -> Self { Self(description: text, status: ExitCode(75)) }
    static func denied(_ text: String) -> Self { Self(description: text, status: ExitCode(77)) }
    /// A file or a pipe cannot be read or written.
    static func inputOutput(_ text: String) -> Self { Self(description: text, status: ExitCode(74)) }
    /// The reader of our output has gone; nothing is said, as with any program in a pipe.
    static let brokenPipe = Self(description: "", status: ExitCode(141))

    /// What the broker answered, in the form `code:arguments:text`.
    static func refused(_ what: String, error: String) -> Self {
        let text = "\(what): the broker answered \(error)"
        switch error.prefix(3) {
        case "403": return denied(text)
        case "407", "429", "500": return later(text)
        default: return data(text)
        }
    }
}

/// Runs a command's work; an error is told and becomes the exit status.
func run(_ work: () async throws -> Void) async throws {
    do {
        try await work()
    } catch let error as CLIError {
        if !error.description.isEmpty { Console.say(error.description) }
        throw error.status
    }
}
