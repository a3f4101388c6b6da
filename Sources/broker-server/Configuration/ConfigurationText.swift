import BrokerCore
import BrokerFront

/// Settings as YAML that `ConfigurationFile` reads.
struct ConfigurationText {
    /// Every key with its default and what it means: the file to begin with.
    static var defaults: String {
        var lines = [
            "# Every key with its default, as 'broker-server print-config --defaults' writes them. The environment and flags",
            "# win over what stands here; docs/configuration.md says more of each key.",
        ]
        let settings = Settings()
        for group in Setting.groups {
            let members = Setting.all.filter { $0.group == group.name }
            let isPresent = members.contains { $0.defaultNote == nil }
            lines += ["", "# " + group.meaning]
            if !group.name.isEmpty { lines.append((isPresent ? "" : "# ") + group.name + ":") }
            for setting in members { lines += entry(setting, in: settings, isGroupPresent: isPresent) }
        }
        lines += [
            "",
            "# What is kept of publications, by channel or pattern; the most specific one counts. Nothing by default.",
            "channels: {}", "#   /news/**:",
        ]
        for verb in AccessVerb.allCases {
            lines.append(
                "#     \(verb.rawValue): everyone".padded(to: 32) + "# who may: " + ValueType<Audience>.choice.name)
        }
        for policy in PolicySetting.all {
            let value = policy.get(ChannelPolicy()) ?? policy.example ?? ""
            lines.append("#     \(policy.name): \(value)".padded(to: 32) + "# " + policy.meaning)
        }
        lines += [
            "",
            "# More places to listen, each with options of its own. As soon as there is one, the default of listen does not hold.",
            "listeners: []",
        ]
        lines += ListenerText.example
        return lines.joined(separator: "\n") + "\n"
    }

    /// A key with its default, behind `#` where there is none, and what it means: on the same line if there is room.
    private static func entry(_ setting: Setting, in settings: Settings, isGroupPresent: Bool) -> [String] {
        let isCommented = setting.defaultNote != nil
        let indent = setting.group.isEmpty ? "" : "  "
        let value = isCommented ? [setting.example ?? ""] : setting.get(settings)
        let mark = isCommented ? "# " : ""
        let line = (isGroupPresent ? indent + mark : mark + indent) + pair(setting, value)
        let remark = setting.meaning + (setting.defaultNote.map { "; by default " + $0 } ?? "")
        let whole = line.padded(to: 40) + "# " + remark
        if whole.count <= 120 { return [whole] }
        return comment(remark, indent: isGroupPresent ? indent : "# " + indent) + [line]
    }

    /// What holds, each line with where it came from; secrets are not shown.
    static func effective(_ settings: Settings) -> String {
        var lines: [String] = []
        let access = AccessSummary(settings.broker)
        for group in Setting.groups {
            let indent = group.name.isEmpty ? "" : "  "
            let members = Setting.all.filter { $0.group == group.name }.compactMap { setting -> String? in
                let value = setting.get(settings)
                guard !value.isEmpty || setting.isList else {
                    // As a comment: written into a file it would hold whatever else the file says.
                    guard let (audience, because) = access.unsaid(setting.name) else { return nil }
                    return (indent + "# " + pair(setting, [audience.rawValue])).padded(to: 48) + "# " + because
                }
                let shown = setting.isSecret ? value.map { _ in "(secret)" } : value
                let source = settings.source(of: setting.name).description
                return (indent + pair(setting, shown)).padded(to: 48) + "# " + source
            }
            if !group.name.isEmpty, !members.isEmpty { lines.append(group.name + ":") }
            lines += members
        }
        let rules = settings.broker.access.rules
        var policies: [(String, ChannelPolicy?)] = settings.broker.policies.all.map { ($0, $1) }
        for rule in rules where !policies.contains(where: { $0.0 == rule.pattern.text }) {
            policies.append((rule.pattern.text, nil))
        }
        lines.append(
            (policies.isEmpty ? "channels: {}" : "channels:").padded(to: 48) + "# "
                + settings.source(of: "channels").description)
        for (pattern, policy) in policies {
            lines.append("  \(scalar(pattern)):")
            for rule in rules where rule.pattern.text == pattern {
                lines.append("    \(rule.verb.rawValue): \(rule.audience.rawValue)")
            }
            for setting in PolicySetting.all {
                guard let policy, let value = setting.get(policy) else { continue }
                lines.append("    \(setting.name): \(value)")
            }
        }
        lines += ListenerText.effective(settings)
        return lines.joined(separator: "\n") + "\n"
    }

    private static func pair(_ setting: Setting, _ values: [String]) -> String {
        let name = setting.name.dropFirst(setting.group.isEmpty ? 0 : setting.group.count + 1)
        let items = values.map(scalar)
        return "\(name): " + (setting.isList ? "[" + items.joined(separator: ", ") + "]" : items.first ?? "")
    }

    /// A text as a YAML scalar: plain where that is certain to be read as it stands.
    static func scalar(_ text: String) -> String {
        let isPlain =
            text.first.map { $0.isLetter || $0.isNumber || $0 == "/" } == true && text.last != ":"
            && text.allSatisfy { $0.isLetter || $0.isNumber || "/._:-+@".contains($0) }
        return isPlain ? text : "'" + text.replacing("'", with: "''") + "'"
    }

    /// A comment, in lines of 120 columns.
    private static func comment(_ text: String, indent: String) -> [String] {
        var lines = [indent + "#"]
        for word in text.split(separator: " ") {
            if lines[lines.count - 1].count + word.count + 1 > 120 { lines.append(indent + "#") }
            lines[lines.count - 1] += " " + word
        }
        return lines
    }
}

extension String {
    /// With blanks at its end up to a column, and one at least.
    func padded(to column: Int) -> String {
        self + String(repeating: " ", count: max(1, column - count))
    }
}
