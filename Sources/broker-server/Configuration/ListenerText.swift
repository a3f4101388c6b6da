import BrokerFront

/// The section `listeners` as YAML.
enum ListenerText {
    /// A listener with every key, behind `#`.
    static var example: [String] {
        let standard = ListenerOptions(.tcp(host: "", port: 0), name: "")
        var mark = "- "
        return lines { setting in
            setting.example ?? setting.get(standard) ?? ""
        } meaning: {
            "# " + $0.meaning + ($0.defaultNote.map { "; by default " + $0 } ?? "")
        }
        .map { line in
            if line.hasPrefix("#") { return "#     " + line }
            defer { mark = "  " }
            return "#   " + mark + line
        }
    }

    /// What holds, each listener with where it came from.
    static func effective(_ settings: Settings) -> [String] {
        guard !settings.listeners.isEmpty else { return ["listeners: []".padded(to: 48) + "# default"] }
        var all = ["listeners:"]
        for (index, listener) in settings.listeners.enumerated() {
            let place = settings.source(of: "listeners[\(index)]").description
            let keys = lines { setting in
                setting.get(listener).map(ConfigurationText.scalar)
            } meaning: { _ in
                ""
            }
            for (number, line) in keys.enumerated() {
                let line = (number == 0 ? "  - " : "    ") + line
                all.append(number == 0 ? line.padded(to: 48) + "# " + place : line)
            }
        }
        return all
    }

    /// A line for each key that has a value; those of a group below its name.
    private static func lines(
        _ value: (ListenerSetting) -> String?, meaning: (ListenerSetting) -> String
    ) -> [String] {
        var lines: [String] = []
        var group = ""
        for setting in ListenerSetting.all {
            guard let value = value(setting) else { continue }
            let parts = setting.name.split(separator: ".", maxSplits: 1)
            let own = parts.count == 2 ? String(parts[0]) : ""
            if !own.isEmpty, own != group { lines.append(own + ":") }
            group = own
            let line = (own.isEmpty ? "" : "  ") + "\(parts[parts.count - 1]): \(value)"
            let remark = meaning(setting)
            let whole = remark.isEmpty ? line : line.padded(to: 40) + remark
            // Six columns come before it.
            lines += whole.count <= 114 ? [whole] : [remark, line]
        }
        return lines
    }
}
