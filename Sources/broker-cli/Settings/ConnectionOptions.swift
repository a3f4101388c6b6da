import ArgumentParser
import Driver
import FanfareClient
import Foundation

/// Which broker to talk to, and how; understood before and behind the name of the command.
struct ConnectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The broker's endpoint ($FANFARE_URL; http://127.0.0.1:8000/bayeux unless given), or unix:/path.",
            valueName: "url"))
    var url: String?
    @Option(help: ArgumentHelp("The credential ($FANFARE_TOKEN, which ps does not show).", valueName: "token"))
    var token: String?
    @Option(
        help: ArgumentHelp(
            "A file that holds the credential, which only its owner may read ($FANFARE_TOKEN_FILE).",
            valueName: "file"),
        completion: .file())
    var tokenFile: String?
    @Option(
        name: [.customLong("ca"), .customLong("cacert")],
        help: ArgumentHelp(
            "A PEM file of the authorities to trust instead of the system's ($FANFARE_CA).", valueName: "file"),
        completion: .file())
    var ca: String?
    @Option(
        help: ArgumentHelp(
            "A PEM file of the certificate to show to a broker that asks for one ($FANFARE_CERT).", valueName: "file"),
        completion: .file())
    var cert: String?
    @Option(
        help: ArgumentHelp(
            "A PEM file of its private key ($FANFARE_KEY; the file of --cert unless given).", valueName: "file"),
        completion: .file())
    var key: String?
    @Option(
        help: ArgumentHelp(
            "The HTTP proxy to go through, or 'none' ($FANFARE_PROXY, else http_proxy and so on).", valueName: "url"))
    var proxy: String?
    @Option(
        help: ArgumentHelp("The profile to take the rest from ($FANFARE_PROFILE).", valueName: "name"),
        completion: .custom { _, _, _ in ProfileFile.names() })
    var profile: String?

    /// What these options, those before the command's name, the environment and a profile say together.
    func settings(_ outer: ConnectionOptions) throws(CLIError) -> EffectiveSettings {
        let flags: [(SettingKey, String?)] = [
            (.url, url ?? outer.url), (.ca, ca ?? outer.ca), (.cert, cert ?? outer.cert),
            (.key, key ?? outer.key), (.proxy, proxy ?? outer.proxy),
            (.token, token ?? outer.token), (.tokenFile, tokenFile ?? outer.tokenFile),
        ]
        return try EffectiveSettings(
            flags: flags, profile: profile ?? outer.profile, environment: ProcessInfo.processInfo.environment)
    }

    /// The same, as the client takes it.
    func configuration(_ outer: ConnectionOptions) throws(CLIError) -> ClientConfiguration {
        try settings(outer).configuration()
    }
}

/// How messages are printed; for the commands that print some.
struct FormatOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "ndjson, raw, pretty or a template ($FANFARE_FORMAT; pretty on a terminal, else ndjson).",
            valueName: "format"),
        completion: .list(["ndjson", "raw", "pretty"]))
    var format: String?

    func validate() throws {
        if let format { _ = try OutputFormat(format) }
    }

    /// What the flag says, or else the settings, or else what suits standard output.
    func outputFormat(_ settings: EffectiveSettings, otherwise fallback: String? = nil) throws(CLIError) -> OutputFormat
    {
        let given = format.map { EffectiveSettings.Value(text: $0, source: "--format") } ?? settings[.format]
        do {
            return try OutputFormat(given?.text ?? fallback ?? (Console.outputIsTerminal ? "pretty" : "ndjson"))
        } catch {
            throw .usage("\(given?.source ?? "--format"): \(error)")
        }
    }
}
