import ArgumentParser

/// `broker-server reload`: has a running broker read its configuration again.
struct ReloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload", abstract: "Have the running broker read its configuration again, as SIGHUP does.",
        discussion: """
            It applies all that can be applied while it runs, or nothing if there is a mistake, and says what has to wait
            for a restart. The broker is found by its database; one that keeps nothing takes SIGHUP only.
            """)

    @OptionGroup var options: DatabaseOptions

    func run() throws {
        let path = try options.path()
        guard let broker = ControlClient(database: path) else {
            throw fail("no broker runs on \(path)", ExitStatus.unavailable)
        }
        switch broker.run("reload") {
        case .success(let report): writeToStandardOutput(report + "\n")
        case .failure(let error): throw fail("\(error)", ExitStatus.configuration)
        }
    }
}
