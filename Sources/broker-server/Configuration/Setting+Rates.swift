import BrokerCore
import BrokerFront

extension Setting {
    static let rates: [Setting] = [
        rate("rates.connections-per-address", .rate, \.connectionsPerAddress, "connections that one address makes"),
        rate("rates.requests-per-address", .rate, \.requestsPerAddress, "HTTP requests that one address sends"),
        rate("rates.handshakes-per-address", .rate, \.handshakesPerAddress, "sessions that one address begins"),
        rate(
            "rates.publish-per-session", .rate, \.publishPerSession,
            "publications of one session, or of one address that publishes without any"),
        rate(
            "rates.subscribe-per-session", .rate, \.subscribePerSession,
            "subscriptions that one session makes and ends"),
        rate(
            "rates.bytes-per-session", .byteRate, \.bytesPerSession, "the same as publish-per-session, in bytes of data"
        ),
        rate(
            "rates.publish-per-credential", .rate, \.publishPerCredential,
            "publications with tokens of one subject (sub), whatever sessions they come from"),
        rate(
            "rates.work-per-address", .timeRate, \.workPerAddress,
            "time of an event loop for what one address sends; beyond it, what it sends waits"),
        Setting(
            "rates.loopback", .flag, \.broker.limits.rates.includesLoopback,
            "whether clients on this machine are limited like others, also by limits.connections-per-address"
        ).with(effect: .atReload),
        Setting(
            "rates.remembered", .count(16...), \.broker.limits.rates.rememberedCount,
            "addresses, subjects and channels whose use is remembered, of each kind; those that were used last"),
    ]

    private static func rate(
        _ name: String, _ type: ValueType<Rate?>, _ field: any WritableKeyPath<RateLimits, Rate?> & Sendable,
        _ meaning: String
    ) -> Setting {
        Setting(
            name, type, meaning, get: { .some($0.broker.limits.rates[keyPath: field]) },
            set: { $0.broker.limits.rates[keyPath: field] = $1 },
            take: { $0.broker.limits.rates[keyPath: field] = $1.broker.limits.rates[keyPath: field] }
        ).with(effect: .atReload)
    }
}

/// Rates as they stand in a configuration: `50/s`, `100/m burst 500`; as many at once as in a second, unless told otherwise.
enum RateText {
    private static let periods: [(name: String, period: Duration)] = [
        ("s", .seconds(1)), ("m", .seconds(60)), ("h", .seconds(3600)),
    ]

    /// The rate that a text stands for; `off` is none. `number` reads the numbers in it. Nil for anything else.
    static func parse(_ text: String, _ number: (String) -> Int?) -> Rate?? {
        if text == "off" { return .some(nil) }
        let words = text.split(separator: " ").map(String.init)
        let parts = words.first?.split(separator: "/", omittingEmptySubsequences: false).map(String.init) ?? []
        guard words.count == 1 || words.count == 3 && words[1] == "burst", parts.count == 2,
            let count = number(parts[0]), count > 0, let period = periods.first(where: { $0.name == parts[1] })?.period
        else { return nil }
        guard words.count == 3 else { return Rate(count, per: period, burst: count) }
        guard let burst = number(words[2]), burst > 0 else { return nil }
        return Rate(count, per: period, burst: burst)
    }

    /// The text for a rate.
    static func format(_ rate: Rate?, _ number: (Int) -> String) -> String {
        guard let rate else { return "off" }
        let period = periods.first { $0.period == rate.period }?.name ?? "s"
        return "\(number(rate.count))/\(period)" + (rate.burst == rate.count ? "" : " burst \(number(rate.burst))")
    }
}

extension ValueType where Value == Rate? {
    /// So many in a second, a minute or an hour.
    static let rate = Self(
        name: "rate, or off", expected: "a rate such as 50/s, 100/m or 50/s burst 1000, or off",
        parse: { RateText.parse($0) { Int($0) } }, format: { RateText.format($0) { String($0) } })
    /// So many bytes in a second, a minute or an hour.
    static let byteRate = Self(
        name: "rate of bytes, or off", expected: "a rate such as 1MiB/s, or 1MiB/s burst 16MiB, or off",
        parse: { RateText.parse($0, ByteAmount.parse) }, format: { RateText.format($0, ByteAmount.format) })
    /// So much time, in nanoseconds, in a second, a minute or an hour.
    static let timeRate = Self(
        name: "rate of time, or off", expected: "a rate such as 250ms/s, or 250ms/s burst 50ms, or off",
        parse: { RateText.parse($0) { TimeSpan.parse($0).map { Int(clamping: $0.nanosecondsClamped) } } },
        format: { RateText.format($0) { TimeSpan.format(.nanoseconds(Int64($0))) } })
}
