import ArgumentParser

/// The flags of `serve`; each has a key in the configuration file.
struct ServeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Address and port to listen on, port 0 for a free one; or unix:/path, or systemd. Repeatable.",
            valueName: "host:port"))
    var listen: [String] = []

    @Option(help: ArgumentHelp("Database file; ':memory:' keeps nothing.", valueName: "file"))
    var database: String?

    @Option(
        help: ArgumentHelp(
            "Event loops, each with a thread; by default as many as there are cores that it may use.", valueName: "n"))
    var threads: Int?

    @Option(
        help: ArgumentHelp("Origin of web pages that may use the broker; '*' for all. Repeatable.", valueName: "origin")
    )
    var allowOrigin: [String] = []

    @Option(help: ArgumentHelp("Configuration file (YAML).", valueName: "file"))
    var config: String?

    @Option(help: ArgumentHelp("trace, debug, info, notice, warning, error or critical.", valueName: "level"))
    var logLevel: String?

    /// The configuration file, the environment over it, and these over both.
    var sources: ConfigurationSources {
        let one: [(key: String, value: String?)] = [
            ("database", database), ("threads", threads.map(String.init)), ("log-level", logLevel),
        ]
        var flags = one.compactMap { flag in flag.value.map { (key: flag.key, values: [$0]) } }
        if !listen.isEmpty { flags.append((key: "listen", values: listen)) }
        if !allowOrigin.isEmpty { flags.append((key: "allow-origin", values: allowOrigin)) }
        return ConfigurationSources(file: config, flags: flags)
    }

    /// The settings; says what is wrong with them, and ends.
    func settings() throws -> Settings {
        do {
            return try sources.load()
        } catch let error as SettingError {
            throw fail("--\(error)", ExitStatus.usage)
        } catch {
            throw fail("\(error)", ExitStatus.configuration)
        }
    }
}
