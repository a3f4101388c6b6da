import ArgumentParser

/// `broker-server check-config FILE`: says what is wrong in a configuration file.
struct CheckConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config", abstract: "Check a configuration file without starting the broker.")

    @Argument(help: "The configuration file (YAML).")
    var file: String

    func run() throws {
        var settings = Settings()
        do {
            try ConfigurationFile(path: file).apply(to: &settings)
            let problems = settings.listenerProblems
            if !problems.isEmpty { throw ConfigurationError(problems: problems) }
        } catch {
            throw fail("\(error)", ExitStatus.configuration)
        }
        writeToStandardOutput("\(file): good\n")
    }
}
