import BrokerCore
import BrokerFront

/// The reference page, `docs/configuration.md`.
struct ConfigurationPage {
    static var text: String {
        var lines = [
            "# Configuration", "",
            "<!-- Made by `broker-server print-config --markdown`; `make configuration` makes it again. -->", "",
            "The broker takes its configuration from a YAML file (`--config FILE`, or `FANFARE_CONFIG`), the environment over it,",
            "and flags over both. [`deploy/fanfare.yaml`](../deploy/fanfare.yaml) is a file with every key.", "",
            "    broker-server check-config FILE        # what is wrong in it, with line and column",
            "    broker-server print-config             # what holds, and where each value comes from",
            "    broker-server print-config --defaults  # a file to begin with", "",
            "A key is named in the environment by its capitals: `limits.message-bytes` is `FANFARE_LIMITS_MESSAGE_BYTES`. The items",
            "of a list are separated by commas. A key or a variable that does not exist is an error, and so is a value that does",
            "not fit; those of `broker-cli`, and those by which Kubernetes tells of services, are passed over.", "",
            "Bytes are numbers, or have a unit: `64KiB`, `1MiB`, `2GiB`. Times are numbers of seconds, or have a unit: `500ms`,",
            "`30s`, `5m`, `1h`, `1d`. *Live* keys take effect on SIGHUP, the others when the broker starts.",
        ]
        let settings = Settings()
        for group in Setting.groups {
            lines += ["", "## " + (group.name.isEmpty ? "The broker" : "`\(group.name)`"), "", group.meaning]
            for setting in Setting.all where setting.group == group.name {
                let values = setting.get(settings).map { "`\($0)`" }.joined(separator: ", ")
                let standard = setting.defaultNote ?? (values.isEmpty ? "none" : values)
                let notes = (setting.effect == .atReload ? ["live"] : []) + (setting.isSecret ? ["secret"] : [])
                let facts = [setting.type, "default: " + standard] + notes
                lines += ["", "### `\(setting.name)`", "", sentence(setting.meaning), ""]
                lines.append("*" + facts.joined(separator: " · ").replacing("*", with: "\\*") + "*")
            }
        }
        lines += [
            "", "## `channels`", "",
            "What is kept of publications, by channel or pattern (`/news/**`); the most specific one counts. Nothing by default.",
            "There are no variables for these. They are *live*.",
        ]
        for verb in AccessVerb.allCases {
            lines += [
                "", "### `channels.PATTERN.\(verb.rawValue)`", "", "Who may \(verb.rawValue): see [access](access.md).",
                "",
                "*\(ValueType<Audience>.choice.name) · default: `auth.\(verb.rawValue)`*",
            ]
        }
        for setting in PolicySetting.all {
            let standard = setting.get(ChannelPolicy()).map { "`\($0)`" } ?? "none"
            lines += [
                "", "### `channels.PATTERN.\(setting.name)`", "", sentence(setting.meaning), "",
                "*\(setting.type) · default: \(standard)*",
            ]
        }
        lines += [
            "", "## `listeners`", "",
            "More places to listen, each with options of its own, beside those of `listen` and `tls`. As soon as there is one, the",
            "default of `listen` does not hold. There are no variables for these. See",
            "[operating](operating.md#more-than-one-listener).",
        ]
        let listener = ListenerOptions(.tcp(host: "", port: 0), name: "")
        for setting in ListenerSetting.all {
            let isNeeded = setting.name == ListenerSetting.addressKey
            let value = setting.example != nil ? nil : setting.get(listener).map { "`\($0)`" }
            let standard = setting.defaultNote ?? value ?? "none"
            let facts =
                [setting.type, isNeeded ? "needed" : "default: " + standard] + (setting.isLive ? ["live"] : [])
            lines += [
                "", "### `listeners[].\(setting.name)`", "", sentence(setting.meaning), "",
                "*" + facts.joined(separator: " · ") + "*",
            ]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func sentence(_ clause: String) -> String {
        clause.prefix(1).uppercased() + clause.dropFirst() + "."
    }
}
