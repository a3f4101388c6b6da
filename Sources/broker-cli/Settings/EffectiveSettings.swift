import Driver
import FanfareClient
import Foundation

/// What a profile can say. Each is a flag and an environment variable as well.
enum SettingKey: String, CaseIterable {
    case url, token
    case tokenFile = "token-file"
    case ca, cert, key, proxy, format

    /// `FANFARE_TOKEN_FILE` for `token-file`.
    var variable: String { "FANFARE_" + rawValue.uppercased().replacing("-", with: "_") }

    /// What is kept from the eyes of others.
    var isSecret: Bool { self == .token }

    /// A value as it may be shown: without a password.
    func shown(_ text: String) -> String {
        if isSecret { return "********" }
        guard self == .url || self == .proxy, let at = text.lastIndex(of: "@") else { return text }
        let start = text.firstRange(of: "://")?.upperBound ?? text.startIndex
        return text[..<start] + "********" + text[at...]
    }
}

/// The settings that hold, and where each comes from: a flag wins over the environment, that over the profile.
struct EffectiveSettings {
    struct Value: Equatable {
        let text: String
        let source: String
    }
    static let defaultURL = "http://127.0.0.1:8000/bayeux"

    /// The profile in use.
    let profile: String?
    private var values: [SettingKey: Value] = [.url: Value(text: Self.defaultURL, source: "default")]
    private let environment: [String: String]

    subscript(key: SettingKey) -> Value? { values[key] }

    init(
        flags: [(SettingKey, String?)], profile name: String?, environment: [String: String]
    ) throws(CLIError) {
        self.environment = environment
        let file = ProfileFile(environment: environment)
        let named = name ?? Self.text(environment["FANFARE_PROFILE"])
        // What is named has to be there; what was selected once may have been removed since.
        if let named { profile = named } else { profile = try file.selected() }
        if let profile {
            let read = try file.read()
            guard let found = read.first(where: { $0.name == profile }) else {
                throw .usage("\(file.path): there is no profile \(profile)\(Self.others(read.map(\.name)))")
            }
            for (key, text) in found.values { set(key, text, "profile \(profile)") }
        }
        for key in SettingKey.allCases {
            if let text = Self.text(environment[key.variable]) { set(key, text, key.variable) }
        }
        for case (let key, let text?) in flags { set(key, text, "--\(key.rawValue)") }
        let given = flags.compactMap { $0.1 == nil ? nil : $0.0 }
        if given.contains(.token), given.contains(.tokenFile) {
            throw .usage("--token and --token-file exclude each other")
        }
    }

    private static func text(_ value: String?) -> String? { value.flatMap { $0.isEmpty ? nil : $0 } }

    private static func others(_ names: [String]) -> String {
        names.isEmpty ? "" : ", only \(names.joined(separator: ", "))"
    }

    /// A token and a file that holds one take each other's place.
    private mutating func set(_ key: SettingKey, _ text: String, _ source: String) {
        if key == .token { values[.tokenFile] = nil }
        if key == .tokenFile { values[.token] = nil }
        values[key] = Value(text: text, source: source)
    }

    /// As the client takes it.
    func configuration() throws(CLIError) -> ClientConfiguration {
        do {
            var configuration = ClientConfiguration(endpoint: try Endpoint(values[.url]?.text ?? Self.defaultURL))
            configuration.token = values[.token]?.text
            if let file = values[.tokenFile] { configuration.token = try Self.token(in: file.text) }
            configuration.certificateAuthorityFile = try file(.ca)
            configuration.certificateFile = try file(.cert)
            configuration.privateKeyFile = try file(.key)
            configuration.proxies = try proxies()
            return configuration
        } catch let error as CLIError {
            throw error
        } catch {
            throw .usage("\(error)")
        }
    }

    /// Whoever names a proxy means it, whatever `no_proxy` says.
    private func proxies() throws -> ProxySettings {
        guard let proxy = values[.proxy] else { return try ProxySettings(environment: environment) }
        if proxy.text == "none" { return ProxySettings() }
        let text = proxy.text
        // A bare word is rather a mistake than a proxy: programs do not agree on the port that it would mean.
        guard text.contains(":"), let url = try? ProxyURL(text.contains("://") ? text : "http://" + text) else {
            let shown = SettingKey.proxy.shown(text)
            throw CLIError.usage(
                "\(proxy.source): \(shown) is not a valid proxy URL, such as http://proxy.example:3128")
        }
        return ProxySettings(plain: url, secure: url)
    }

    /// The path of a file that has to be readable, also where it is not needed: whoever names it relies on it.
    private func file(_ key: SettingKey) throws(CLIError) -> String? {
        guard let value = values[key] else { return nil }
        let path = Self.expand(value.text)
        guard access(path, R_OK) == 0 else {
            throw .inputOutput(
                "\(path): the file of \(value.source) cannot be read: \(String(cString: strerror(errno)))")
        }
        return path
    }

    /// `~` stands for the home folder; a shell does not see it in a file.
    private static func expand(_ path: String) -> String { (path as NSString).expandingTildeInPath }

    /// The first line of a file that nobody else may read.
    private static func token(in name: String) throws(CLIError) -> String {
        let path = expand(name)
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw .inputOutput("\(path): the file with the token cannot be read")
        }
        try PrivateFile.check(handle.fileDescriptor, path, "it holds a token")
        guard let data = try? handle.read(upToCount: 65_536),
            let line = String(data: data, encoding: .utf8)?.split(whereSeparator: \.isNewline).first
        else { throw .data("\(path): there is no token in the file") }
        let token = line.trimmingCharacters(in: .whitespaces)
        guard !token.isEmpty else { throw .data("\(path): there is no token in the file") }
        return token
    }
}

/// Files with secrets.
enum PrivateFile {
    /// Refuses a file that others than its owner may read or write.
    static func check(_ descriptor: Int32, _ path: String, _ reason: String) throws(CLIError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw .inputOutput("\(path): \(String(cString: strerror(errno)))")
        }
        if status.st_mode & 0o077 != 0 {
            throw .denied("\(path): others may read the file, and \(reason); make it your own with: chmod 600 \(path)")
        }
    }
}
