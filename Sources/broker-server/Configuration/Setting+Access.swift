import BrokerCore
import BrokerFront

extension Setting {
    static let auth: [Setting] = [
        Setting(
            "auth.keys", listOf: .tokenKey, \.broker.access.keyFiles,
            "files with keys of tokens: PEM keys, JWK sets, or secrets for HS256; none, and no tokens are taken"),
        Setting(
            "auth.issuers", listOf: .text, \.broker.access.tokens.issuers,
            "whose tokens are taken (iss); all that are signed, when empty"),
        Setting(
            "auth.audiences", listOf: .text, \.broker.access.tokens.audiences,
            "for whom a token must have been made (aud); for anybody, when empty"),
        Setting(
            "auth.publish", ValueType<Audience>.choice, "who may publish where no rule of a channel says anything",
            get: { $0.broker.access.publish }, set: { $0.broker.access.publish = $1 }
        ).with(
            defaultNote: "authenticated with keys; else everyone on loopback, and not-browsers elsewhere",
            example: "authenticated"),
        Setting(
            "auth.subscribe", ValueType<Audience>.choice, "who may subscribe where no rule of a channel says anything",
            get: { $0.broker.access.subscribe }, set: { $0.broker.access.subscribe = $1 }
        ).with(defaultNote: "everyone", example: "everyone"),
        Setting(
            "auth.grace", .time, \.broker.limits.tokenGrace,
            "how long a session whose token has expired waits for another one"),
        Setting("auth.lifetime", .time, \.broker.access.tokens.lifetime, "how far ahead a token may end"),
    ]

    static let hosts = Setting(
        "allow-host", listOf: .host, \.broker.allowedHosts,
        "names, beside those of this machine, that a broker on loopback is addressed by; '*' for all")
}

extension ValueType where Value == String {
    /// A file with keys, perhaps of one issuer.
    static let tokenKey = Self(
        name: "file, or ISSUER=FILE", expected: "the path of a file, or ISSUER=FILE",
        parse: { $0.isEmpty ? nil : $0 }, format: { $0 })
    /// Any text.
    static let text = Self(name: "text", expected: "a text", parse: { $0.isEmpty ? nil : $0 }, format: { $0 })
    /// A name of a machine.
    static let host = Self(
        name: "host", expected: "a name such as broker.example.com, or *",
        parse: { $0.isEmpty || $0.contains("/") || $0.contains(where: \.isWhitespace) ? nil : $0 }, format: { $0 })
}
