import BrokerFront
import Yams

/// The section `listeners`: a list, each item with keys and values.
extension ConfigurationFile {
    func readListeners(_ node: Node, into settings: inout Settings, problems: inout [String]) {
        // A list of which every item is a comment.
        if node.scalar?.string == "" { return }
        guard case .sequence(let items) = node else {
            return problems.append("\(place(node)): listeners is not a list")
        }
        for (index, item) in items.enumerated() {
            let name = "listeners[\(index)]"
            guard case .mapping(let keys) = item else {
                problems.append("\(place(item)): \(name) is not keys and values")
                continue
            }
            settings.note(.file(place(item)), for: name)
            // A free port, until the address comes.
            var listener = ListenerOptions(.tcp(host: "127.0.0.1", port: 0), name: "")
            let before = problems.count
            var given: Set<String> = []
            read(keys, prefix: "", of: name, into: &listener, given: &given, problems: &problems)
            if listener.name.isEmpty { listener.name = listener.address.description }
            guard problems.count == before else { continue }
            if !given.contains(ListenerSetting.addressKey) {
                problems.append("\(place(item)): \(name).\(ListenerSetting.addressKey) is missing")
            } else if let problem = listener.problem {
                problems.append("\(place(item)): \(name): \(problem)")
            } else if given.contains("tls.client-certificates"), let problem = listener.tls?.problemOfAsking {
                problems.append("\(place(item)): \(name): \(problem)")
            }
            settings.listeners.append(listener)
        }
    }

    private func read(
        _ keys: Node.Mapping, prefix: String, of listener: String, into options: inout ListenerOptions,
        given: inout Set<String>, problems: inout [String]
    ) {
        for (key, value) in keys {
            let name = prefix + (key.string ?? "")
            if ListenerSetting.all.contains(where: { $0.name.hasPrefix(name + ".") }) {
                guard case .mapping(let inner) = value else {
                    problems.append("\(place(value)): \(listener).\(name) is not keys and values")
                    continue
                }
                read(inner, prefix: name + ".", of: listener, into: &options, given: &given, problems: &problems)
                continue
            }
            guard let setting = ListenerSetting.all.first(where: { $0.name == name }) else {
                let error = SettingError.unknown(name, among: ListenerSetting.all.map(\.name))
                problems.append("\(place(key)): \(error)")
                continue
            }
            given.insert(name)
            guard let text = value.scalar?.string, !value.isNull, setting.set(&options, text) else {
                let given = value.scalar?.string ?? "what is given"
                let error = SettingError.unfit(given, for: "\(listener).\(name)", setting.expected)
                problems.append("\(place(value)): \(error)")
                continue
            }
        }
    }
}
