import Foundation
import Yams

/// `$XDG_CONFIG_HOME/fanfare/profiles.yaml`: names, and for each what its settings are. Beside it lies which one is
/// selected, and which one was before.
struct ProfileFile {
    struct Profile {
        let name: String
        var values: [(key: SettingKey, text: String)] = []
    }

    private let folder: String
    var path: String { folder + "/profiles.yaml" }
    private var selectionPath: String { folder + "/profile" }

    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        let home = environment["HOME"] ?? NSHomeDirectory()
        let base = environment["XDG_CONFIG_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? home + "/.config"
        folder = base + "/fanfare"
    }

    /// What shells complete.
    static func names() -> [String] { (try? ProfileFile().read().map(\.name)) ?? [] }

    /// All profiles, in their order; none when there is no file. Throws one error for the first thing that is wrong.
    func read() throws(CLIError) -> [Profile] {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            guard FileManager.default.fileExists(atPath: path) else { return [] }
            throw .inputOutput("\(path): the file cannot be read")
        }
        guard let data = try? handle.readToEnd() ?? Data(), let text = String(data: data, encoding: .utf8) else {
            throw .inputOutput("\(path): the file cannot be read")
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw .data("\(path): no YAML: \(Self.describe(error))")
        }
        guard let root else { return [] }
        guard let mapping = root.mapping else { throw .data("\(place(root)): names of profiles are expected here") }
        var profiles: [Profile] = []
        for (key, value) in mapping { profiles.append(try profile(key, value)) }
        if profiles.contains(where: { $0.values.contains { $0.key.isSecret } }) {
            try PrivateFile.check(handle.fileDescriptor, path, "a profile holds a token")
        }
        return profiles
    }

    private func profile(_ key: Node, _ value: Node) throws(CLIError) -> Profile {
        guard let name = key.string, !name.isEmpty, name != "-" else {
            throw .data("\(place(key)): a profile needs a name")
        }
        guard let mapping = value.mapping else {
            throw .data(
                "\(place(value)): profile \(name) is keys and values, such as url: \(EffectiveSettings.defaultURL)")
        }
        var profile = Profile(name: name)
        for (key, value) in mapping {
            guard let known = key.string.flatMap(SettingKey.init) else {
                let keys = SettingKey.allCases.map(\.rawValue).joined(separator: ", ")
                throw .data("\(place(key)): \"\(key.string ?? "")\" is none of the keys \(keys)")
            }
            guard let text = value.scalar?.string, !text.isEmpty else {
                throw .data("\(place(value)): \(known.rawValue) needs a value")
            }
            profile.values.append((known, text))
        }
        if Set(profile.values.map(\.key)).isSuperset(of: [.token, .tokenFile]) {
            throw .data("\(place(key)): profile \(name) has both a token and a token-file")
        }
        return profile
    }

    private static func describe(_ error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "\(problem), line \(mark.line), column \(mark.column)"
        default: "\(error)".split(separator: "\n").joined(separator: " ")
        }
    }

    private func place(_ node: Node) -> String { node.mark.map { "\(path):\($0.line):\($0.column)" } ?? path }

    /// The selected profile, and the one before it.
    private func selection() -> [String] {
        ((try? String(contentsOfFile: selectionPath, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
    }

    /// The selected profile, unless it is not there any more.
    func selected() throws(CLIError) -> String? {
        guard let name = selection().first else { return nil }
        return try read().contains { $0.name == name } ? name : nil
    }

    /// Selects a profile, `-` for the one before; returns its name.
    func select(_ name: String) throws(CLIError) -> String {
        let old = selection()
        guard name != "-" || old.count > 1 else { throw .usage("no profile was in use before") }
        let new = name == "-" ? old[1] : name
        guard try read().contains(where: { $0.name == new }) else {
            throw .usage("\(path): there is no profile \(new)")
        }
        if new != old.first {
            try DurableFile.write(Array("\(new)\n\(old.first ?? "")\n".utf8), to: selectionPath)
        }
        return new
    }
}
