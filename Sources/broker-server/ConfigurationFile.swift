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
                readPolicies(value, into: &settings, problems: &problems)
                continue
            }
            if case .mapping = value, Setting.all.contains(where: { $0.name.hasPrefix(name + ".") }) {
                read(value, prefix: name + ".", into: &settings, problems: &problems)
                continue
            }
            guard let setting = Setting.named(name) else {
                problems.append("\(place(key)): \(SettingError.unknown(name))")
                continue
            }
            let items = setting.isList ? (value.sequence.map(Array.init) ?? [value]) : [value]
            for item in items {
                guard let text = item.scalar?.string else {
                    problems.append("\(place(item)): \(name) is not \(setting.expected)")
                    continue
                }
                do {
                    try settings.set(name, to: text)
                } catch {
                    problems.append("\(place(item)): \(error)")
                }
            }
        }
    }

    /// `channels`: patterns, and for each the keys of its policy.
    private func readPolicies(_ node: Node, into settings: inout Settings, problems: inout [String]) {
        guard case .mapping(let mapping) = node else {
            return problems.append("\(place(node)): channels is not patterns with their policies")
        }
        for (key, value) in mapping {
            let text = key.string ?? ""
            guard let pattern = try? ChannelPattern(text, grammar: .cometd, maximumBytes: .max), !pattern.isMeta,
                !pattern.isService
            else {
                problems.append("\(place(key)): \"\(text)\" is no channel or pattern such as /chat/**")
                continue
            }
            guard case .mapping(let keys) = value else {
                problems.append("\(place(value)): the policy of \(text) is not keys and values")
                continue
            }
            var policy = ChannelPolicy()
            for (key, value) in keys {
                let name = key.string ?? ""
                guard let setting = PolicySetting.all.first(where: { $0.name == name }) else {
                    let error = SettingError.unknown(name, among: PolicySetting.all.map(\.name))
                    problems.append("\(place(key)): \(error)")
                    continue
                }
                guard let text = value.scalar?.string, setting.set(&policy, text) else {
                    let given = value.scalar?.string ?? "what is given"
                    problems.append("\(place(value)): \(name): \(given) is not \(setting.expected)")
                    continue
                }
            }
            settings.broker.policies[pattern] = policy
        }
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

    private func place(_ node: Node) -> String {
        node.mark.map { "\(path):\($0.line):\($0.column)" } ?? path
    }
}

/// Everything that is wrong in a configuration file.
struct ConfigurationError: Error, CustomStringConvertible {
    let problems: [String]

    var description: String { problems.joined(separator: "\n") }
}
