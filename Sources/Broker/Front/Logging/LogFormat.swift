/// How the log is written.
package enum LogFormat: String, Sendable, CaseIterable {
    /// For people on a terminal, else for programs.
    case auto
    /// `TIME level message key=value …`
    case text
    /// One JSON object.
    case json

    /// The format that is meant, `auto` resolved.
    package func resolved(isTerminal: Bool) -> LogFormat {
        self == .auto ? isTerminal ? .text : .json : self
    }
}
