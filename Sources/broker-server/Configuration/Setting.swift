/// A key of the configuration: what it takes, what it means, and how it gets into the settings.
///
/// `Setting.all` is the one table of them. The configuration file, the environment, `print-config`, the reference page
/// and `deploy/fanfare.yaml` all come from it.
struct Setting: Sendable {
    /// When another value takes effect.
    enum Effect: Sendable {
        case atRestart
        /// With the next reload, too.
        case atReload
    }

    /// Its name; groups are separated by dots.
    let name: String
    /// What it takes, as the reference says it.
    let type: String
    /// What a good value is, to go on after "is not".
    let expected: String
    /// What it is for: a clause that begins in lower case, without a full stop.
    let meaning: String
    /// Whether it takes a list.
    let isList: Bool
    var effect = Effect.atRestart
    /// Whether its value must not be shown.
    var isSecret = false
    /// What the default is, where that depends on the machine or where there is none.
    var defaultNote: String?
    /// A value to show where there is no default.
    var example: String?

    /// Whether a text is a good value, or a good item of the list.
    let accepts: @Sendable (String) -> Bool
    /// Sets it from texts that are accepted: one of them unless it is a list.
    let set: @Sendable (inout Settings, [String]) -> Void
    /// The text of its value, or of its items; none when it is not set.
    let get: @Sendable (Settings) -> [String]
    /// Makes it what it is in other settings: the second ones.
    let take: @Sendable (inout Settings, Settings) -> Void

    /// A setting with one value, kept in `field`.
    init<Value>(
        _ name: String, _ type: ValueType<Value>, _ field: any WritableKeyPath<Settings, Value> & Sendable,
        _ meaning: String
    ) {
        self.init(
            name, type, meaning,
            get: { $0[keyPath: field] }, set: { settings, value in settings[keyPath: field] = value },
            take: { settings, others in settings[keyPath: field] = others[keyPath: field] })
    }

    /// A setting with one value or none, kept in `field`.
    init<Value>(
        _ name: String, _ type: ValueType<Value>,
        optional field: any WritableKeyPath<Settings, Value?> & Sendable, _ meaning: String
    ) {
        self.init(
            name, type, meaning,
            get: { $0[keyPath: field] }, set: { settings, value in settings[keyPath: field] = value },
            take: { settings, others in settings[keyPath: field] = others[keyPath: field] })
    }

    /// A setting with one value or none, kept as the three functions say.
    init<Value>(
        _ name: String, _ type: ValueType<Value>, _ meaning: String,
        get: @escaping @Sendable (Settings) -> Value?, set: @escaping @Sendable (inout Settings, Value) -> Void,
        take: @escaping @Sendable (inout Settings, Settings) -> Void
    ) {
        self.name = name
        self.type = type.name
        self.meaning = meaning
        expected = type.expected
        isList = false
        accepts = { type.parse($0) != nil }
        self.set = { settings, texts in
            guard let value = texts.last.flatMap(type.parse) else {
                preconditionFailure("Cannot set \(name) when its value was not accepted")
            }
            set(&settings, value)
        }
        self.get = { settings in get(settings).map { [type.format($0)] } ?? [] }
        self.take = take
    }

    /// A setting with a list of values, kept in `field`.
    init<Value>(
        _ name: String, listOf type: ValueType<Value>, _ field: any WritableKeyPath<Settings, [Value]> & Sendable,
        _ meaning: String
    ) {
        self.name = name
        self.type = "list of " + type.name
        self.meaning = meaning
        expected = type.expected
        isList = true
        accepts = { type.parse($0) != nil }
        set = { settings, texts in settings[keyPath: field] = texts.compactMap(type.parse) }
        get = { settings in settings[keyPath: field].map(type.format) }
        take = { settings, others in settings[keyPath: field] = others[keyPath: field] }
    }

    /// The same, with some of what the reference says of it.
    func with(
        effect: Effect = .atRestart, isSecret: Bool = false, defaultNote: String? = nil, example: String? = nil
    ) -> Self {
        var setting = self
        setting.effect = effect
        setting.isSecret = isSecret
        setting.defaultNote = defaultNote
        setting.example = example
        return setting
    }
}

/// The names.
extension Setting {
    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    static func named(_ name: String) -> Setting? { byName[name] }

    /// Every key that a configuration file can have at some level, the sections of their own shape among them.
    static var names: [String] { all.map(\.name) + ["channels", "listeners"] }

    /// Whether there are keys below this one.
    static func isGroup(_ name: String) -> Bool { all.contains { $0.name.hasPrefix(name + ".") } }

    /// Its name as a variable of the environment.
    var variable: String {
        "FANFARE_" + String(name.uppercased().map { $0 == "." || $0 == "-" ? "_" : $0 })
    }

    /// What stands before the last dot.
    var group: String { name.lastIndex(of: ".").map { String(name[..<$0]) } ?? "" }
}
