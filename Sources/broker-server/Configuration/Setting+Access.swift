import BrokerCore
import BrokerFront

extension Setting {
    static let auth: [Setting] = [
        Setting(
            "auth.keys", listOf: .tokenKey, \.broker.access.keySources,
            "files with keys of tokens (PEM keys, JWK sets, or secrets for HS256), and addresses of JWK sets; none, and no "
                + "tokens are taken"
        ).with(effect: .atReload),
        Setting(
            "auth.key-set-refresh", .time, \.broker.access.keySets.refreshInterval,
            "how often the key sets at addresses are fetched again"
        ).with(effect: .atReload),
        Setting(
            "auth.key-set-spacing", .time, \.broker.access.keySets.spacing,
            "the least time between two fetches of a key set: for tokens that name a key that it has not, and after failures"
        ).with(effect: .atReload),
        Setting(
            "auth.key-set-authority", .file, optional: \.broker.access.keySets.authorityFile,
            "the certificates at the addresses of key sets may be signed by these, beside those that the system trusts "
                + "(PEM)"
        ).with(effect: .atReload, defaultNote: "none but the system's", example: "/etc/fanfare/authority.pem"),
        Setting(
            "auth.issuers", listOf: .text, \.broker.access.tokens.issuers,
            "whose tokens are taken (iss); all that are signed, when empty"
        ).with(effect: .atReload),
        Setting(
            "auth.audiences", listOf: .text, \.broker.access.tokens.audiences,
            "for whom a token must have been made (aud); for anybody, when empty"
        ).with(effect: .atReload),
        Setting(
            "auth.publish", ValueType<Audience>.choice, optional: \.broker.access.publish,
            "who may publish where no rule of a channel says anything"
        ).with(
            effect: .atReload,
            defaultNote: "authenticated with keys; else everyone on loopback (no proxies), not-browsers elsewhere",
            example: "authenticated"),
        Setting(
            "auth.subscribe", ValueType<Audience>.choice, optional: \.broker.access.subscribe,
            "who may subscribe where no rule of a channel says anything"
        ).with(effect: .atReload, defaultNote: "everyone", example: "everyone"),
        Setting(
            "auth.grace", .time, \.broker.limits.tokenGrace,
            "how long a session whose token has expired waits for another one"),
        Setting("auth.lifetime", .time, \.broker.access.tokens.lifetime, "how far ahead a token may end")
            .with(effect: .atReload),
    ]

    static let hosts = Setting(
        "allow-host", listOf: .host, \.broker.allowedHosts,
        "names, beside those of this machine, that the broker answers to; beyond loopback it answers to all while "
            + "none is listed; '*' for all"
    ).with(effect: .atReload)
}

extension ValueType where Value == TokenKeySource {
    /// Where keys come from, perhaps of one issuer.
    static let tokenKey = Self(
        name: "file or address, or ISSUER= before one",
        expected:
            "the path of a file, or an address such as https://login.example.com/keys.json, perhaps with ISSUER= before",
        parse: TokenKeySource.init, format: \.description)
}

extension ValueType where Value == String {
    /// Any text.
    static let text = Self(name: "text", expected: "a text", parse: { $0.isEmpty ? nil : $0 }, format: { $0 })
    /// A name of a machine.
    static let host = Self(
        name: "host", expected: "a name such as broker.example.com, or *",
        parse: { $0.isEmpty || $0.contains("/") || $0.contains(where: \.isWhitespace) ? nil : $0 }, format: { $0 })
}
