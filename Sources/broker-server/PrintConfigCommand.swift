import ArgumentParser

/// `broker-server print-config`: the configuration that holds, the defaults, or the reference.
struct PrintConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "print-config",
        abstract: "Print the configuration, and where each value comes from.",
        discussion: "It takes the flags of 'serve', and is itself a configuration file. Secrets are not shown.")

    enum Form: EnumerableFlag {
        case effective
        case defaults
        case markdown

        static func help(for value: Form) -> ArgumentHelp? {
            switch value {
            case .effective: "What holds with the file, the environment and the flags (the default)."
            case .defaults: "Every key with its default and what it means."
            case .markdown: "The reference of all keys."
            }
        }
    }

    @Flag(exclusivity: .exclusive)
    var form = Form.effective

    @OptionGroup var options: ServeOptions

    func run() throws {
        switch form {
        case .effective: writeToStandardOutput(ConfigurationText.effective(try options.settings()))
        case .defaults: writeToStandardOutput(ConfigurationText.defaults)
        case .markdown: writeToStandardOutput(ConfigurationPage.text)
        }
    }
}
