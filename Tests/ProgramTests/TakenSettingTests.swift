import Testing

@testable import broker_server

/// What a reload does with each key that is live: settings take over one key of others, and nothing else of them.
struct TakenSettingTests {
    /// Settings with another value for one key.
    private static func settings(with setting: Setting) throws -> Settings {
        let key = EveryKeyTests.Key(name: setting.name, type: setting.type, isLive: true)
        let files = ["auth.keys": "/other", "auth.key-set-authority": "/other"]
        let value = try #require(files[setting.name] ?? EveryKeyTests.other(key), "\(setting.name) has no other value")
        var settings = Settings()
        try settings.set(setting.name, to: [value.filter { !"[]".contains($0) }], from: .standard)
        return settings
    }

    @Test("A setting is taken over alone, and its default is, too")
    func eachAlone() throws {
        let standard = Settings()
        for setting in Setting.all where setting.group != "tls" {
            let others = try Self.settings(with: setting)
            var settings = standard
            setting.take(&settings, others)
            for each in Setting.all {
                let expected = each.get(each.name == setting.name ? others : standard)
                #expect(each.get(settings) == expected, "\(each.name), when \(setting.name) is taken")
            }
            setting.take(&settings, standard)
            #expect(setting.get(settings) == setting.get(standard), "\(setting.name), taken back")
        }
    }

    @Test("The files of TLS are taken together, and not without a listener")
    func filesOfTLS() throws {
        var others = Settings()
        for (key, value) in [
            ("tls.listen", "127.0.0.1:2"), ("tls.certificate", "/other"), ("tls.key", "/other"),
            ("tls.client-authority", "/other"), ("tls.client-certificates", "optional"),
        ] {
            try others.set(key, to: [value], from: .standard)
        }
        let live = Setting.all.filter { $0.group == "tls" && $0.effect == .atReload }
        #expect(live.count == 4)
        for setting in live {
            var settings = Settings()
            setting.take(&settings, others)
            #expect(live.allSatisfy { $0.get(settings).isEmpty })
            try settings.set("tls.listen", to: ["127.0.0.1:1"], from: .standard)
            setting.take(&settings, others)
            for each in live { #expect(each.get(settings) == each.get(others), "\(each.name) by \(setting.name)") }
            #expect(Setting.named("tls.listen")?.get(settings) == ["127.0.0.1:1"])
        }
    }
}
