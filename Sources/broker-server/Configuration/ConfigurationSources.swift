import BrokerFront
import Foundation

/// Where a configuration comes from: a file, the environment over it, flags over both.
///
/// Read as often as it takes: a reload reads the file again.
struct ConfigurationSources: Sendable {
    /// The configuration file, if there is one.
    var file: String?
    var environment: [String: String]
    /// Keys with the values that flags gave them.
    var flags: [(key: String, values: [String])] = []

    /// Variables that begin like ours and are not for the broker: those of `broker-cli`, and of what it runs.
    private static let foreign: Set<String> = [
        "CA", "CERT", "CHANNEL", "FORMAT", "ID", "KEY", "PROFILE", "PROXY", "SEQ", "TOKEN", "TOKEN_FILE", "URL",
    ]
    private static let fileVariable = "FANFARE_CONFIG"

    /// Flags with what else says something; without a file of their own, that of the environment.
    init(
        file: String?, flags: [(key: String, values: [String])],
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) {
        self.file = file ?? environment[Self.fileVariable].flatMap { $0.isEmpty ? nil : $0 }
        self.environment = environment
        self.flags = flags
    }

    /// The settings. Throws `ConfigurationError` for what is wrong in the file and the environment, all of it, and
    /// `SettingError` for a flag.
    func load() throws -> Settings {
        var settings = Settings()
        var problems: [String] = []
        if let file {
            do {
                try ConfigurationFile(path: file).apply(to: &settings)
            } catch {
                problems += error.problems
            }
        }
        problems += apply(environment, to: &settings)
        if !problems.isEmpty { throw ConfigurationError(problems: problems) }
        for flag in flags { try settings.set(flag.key, to: flag.values, from: .flag("--" + flag.key)) }
        try settings.complete()
        return settings
    }

    private func apply(_ environment: [String: String], to settings: inout Settings) -> [String] {
        let known = Dictionary(uniqueKeysWithValues: Setting.all.map { ($0.variable, $0) })
        var problems: [String] = []
        for (variable, text) in environment.sorted(by: { $0.key < $1.key }) where variable.hasPrefix("FANFARE_") {
            guard let setting = known[variable] else {
                if Self.isForeign(variable) { continue }
                let names = Array(known.keys.sorted()) + [Self.fileVariable]
                problems.append("environment: \(SettingError.unknownVariable(variable, among: names))")
                continue
            }
            let items = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            let values = setting.isList ? items.filter { !$0.isEmpty } : [text]
            do {
                try settings.set(setting.name, to: values, from: .environment(variable: variable))
            } catch {
                let value = setting.isSecret ? "what is given" : text
                problems.append("environment: \(variable): \(value) is not \(setting.expected)")
            }
        }
        return problems
    }

    /// Whether others look at it. Kubernetes tells of a service named fanfare by variables that begin like this.
    private static func isForeign(_ variable: String) -> Bool {
        let name = String(variable.dropFirst("FANFARE_".count))
        return variable == fileVariable || foreign.contains(name) || name == "PORT" || name.hasPrefix("PORT_")
            || name.hasPrefix("SERVICE_")
    }
}
