import ArgumentParser

/// `broker-cli completions`: what a shell loads to complete commands and flags.
struct CompletionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completions", abstract: "Print completions for bash, zsh or fish.",
        discussion: "broker-cli completions bash > /etc/bash_completion.d/broker-cli")

    @Argument(help: "bash, zsh or fish.") var shell: String

    func run() throws {
        guard let shell = CompletionShell(rawValue: shell) else {
            throw ValidationError("There are completions for bash, zsh and fish, not for \(shell).")
        }
        print(BrokerCLI.completionScript(for: shell))
    }
}
