import BrokerCore
import BrokerFront
import Foundation
import Yams

/// A configuration file in YAML, whose keys are those of `Setting.all`.
struct ConfigurationFile {
    let path: String

    /// Sets what the file says. Throws one error that lists everything wrong in it, with line and column.
    func apply(to settings: inout Settings) throws(ConfigurationError) {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw ConfigurationError(problems: ["\(path): the file cannot be read"])
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw ConfigurationError(problems: [describe(error)])
        }
        var problems: [String] = []
        if let root { read(root, prefix: "", into: &settings, problems: &problems) }
        if !problems.isEmpty { throw ConfigurationError(problems: problems) }
    }

    private func read(_ node: Node, prefix: String, into settings: inout Settings, problems: inout [String]) {
        guard case .mapping(let mapping) = node else {
            problems.append("\(place(node)): keys and values are expected here")
            return
        }
        for (key, value) in mapping {
            let name = prefix + (key.string ?? "")
            if name == "channels" {
                settings.note(.file(place(key)), for: name)
                readPolicies(value, into: &settings, problems: &problems)
                continue
            }
            if name == "listeners" {
                readListeners(value, into: &settings, problems: &problems)
                continue
            }
            if Setting.isGroup(name) {
                // A group of which every key is a comment.
                if value.scalar?.string == "" { continue }
                read(value, prefix: name + ".", into: &settings, problems: &problems)
                continue
            }
            guard let setting = Setting.named(name) else {
                problems.append("\(place(key)): \(SettingError.unknown(name))")
                continue
            }
            set(setting, from: value, at: key, in: &settings, problems: &problems)
        }
    }

    /// Sets a key, each item of a list having been looked at by itself.
    private func set(
        _ setting: Setting, from value: Node, at key: Node, in settings: inout Settings, problems: inout [String]
    ) {
        if case .file(let before) = settings.source(of: setting.name) {
            problems.append("\(place(key)): \(setting.name) is given at \(before) as well")
            return
        }
        let items = setting.isList ? (value.sequence.map(Array.init) ?? [value]) : [value]
        var texts: [String] = []
        for item in items {
            guard let text = item.scalar?.string, !item.isNull else {
                problems.append("\(place(item)): \(setting.name) is not \(setting.expected)")
                continue
            }
            texts.append(text)
            guard !setting.accepts(text) else { continue }
            let shown = setting.isSecret ? "what is given" : text
            problems.append("\(place(item)): \(SettingError.unfit(shown, for: setting.name, setting.expected))")
        }
        guard texts.count == items.count, texts.allSatisfy(setting.accepts) else { return }
        do {
            try settings.set(setting.name, to: texts, from: .file(place(key)))
        } catch {
            problems.append("\(place(key)): \(error)")
        }
    }

    /// `channels`: patterns, and for each the keys of its policy.
    private func readPolicies(_ node: Node, into settings: inout Settings, problems: inout [String]) {
        guard case .mapping(let mapping) = node else {
            return problems.append("\(place(node)): channels is not patterns with their policies")
        }
        for (key, value) in mapping {
            let text = key.string ?? ""
            guard let pattern = try? ChannelPattern(text, grammar: .cometd, maximumBytes: .max), pattern.isForClients
            else {
                problems.append("\(place(key)): \"\(text)\" is no channel or pattern such as /chat/**")
                continue
            }
            guard case .mapping(let keys) = value else {
                problems.append("\(place(value)): the policy of \(text) is not keys and values")
                continue
            }
            readPolicy(keys, of: pattern, into: &settings, problems: &problems)
        }
    }

    /// What is kept of a pattern's channels, and who may do what with them. A rule alone does not end a wider policy.
    private func readPolicy(
        _ keys: Node.Mapping, of pattern: ChannelPattern, into settings: inout Settings, problems: inout [String]
    ) {
        var policy = ChannelPolicy()
        var hasPolicy = keys.isEmpty
        for (key, value) in keys {
            let name = key.string ?? ""
            if let verb = AccessVerb(rawValue: name) {
                guard let audience = value.scalar.flatMap({ ValueType<Audience>.choice.parse($0.string) }) else {
                    let given = value.scalar?.string ?? "what is given"
                    let expected = ValueType<Audience>.choice.expected
                    problems.append("\(place(value)): \(SettingError.unfit(given, for: name, expected))")
                    continue
                }
                settings.broker.access.rules.append(.init(verb, pattern, audience))
                continue
            }
            hasPolicy = true
            guard let setting = PolicySetting.all.first(where: { $0.name == name }) else {
                let names = PolicySetting.all.map(\.name) + AccessVerb.allCases.map(\.rawValue)
                let error = SettingError.unknown(name, among: names)
                problems.append("\(place(key)): \(error)")
                continue
            }
            guard let text = value.scalar?.string, setting.set(&policy, text) else {
                let given = value.scalar?.string ?? "what is given"
                problems.append("\(place(value)): \(SettingError.unfit(given, for: name, setting.expected))")
                continue
            }
        }
        if hasPolicy { settings.broker.policies[pattern] = policy }
    }

    /// What the parser found, on one line.
    private func describe(_ error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "\(path):\(mark.line):\(mark.column): no YAML: \(problem)"
        case .duplicatedKeysInMapping(let keys, let context):
            "\(path):\(context.mark.line):\(context.mark.column): "
                + keys.sorted().map { "\"\($0)\"" }.joined(separator: ", ") + " is given more than once"
        default:
            "\(path): \(error)"
        }
    }

    func place(_ node: Node) -> String {
        node.mark.map { "\(path):\($0.line):\($0.column)" } ?? path
    }
}

extension Node {
    /// Whether it is what YAML calls null, written out: a value that is missing is none, and no text either.
    var isNull: Bool {
        guard let scalar, scalar.style == .plain || scalar.style == .any else { return false }
        return ["~", "null", "Null", "NULL"].contains(scalar.string)
    }
}

/// Everything that is wrong in a configuration file.
struct ConfigurationError: Error, CustomStringConvertible {
    let problems: [String]

    var description: String { problems.joined(separator: "\n") }
}
