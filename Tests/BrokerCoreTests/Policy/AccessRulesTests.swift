import BrokerCore
import Support
import Testing

/// Which rule decides, and what it says.
@Suite("Access rules")
struct AccessRulesTests {
    private static func pattern(_ text: String) throws -> ChannelPattern {
        try ChannelPattern(text, grammar: .faye, maximumBytes: 512)
    }

    private static func principal(
        publish: [String]? = nil, subscribe: [String]? = nil, isAdmin: Bool = false
    ) throws -> Principal {
        Principal(
            subject: "alice", publish: try publish?.map(pattern), subscribe: try subscribe?.map(pattern),
            isAdmin: isAdmin, expiresAt: .max)
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let audience: Audience
        /// Nobody, and what a page without a token may.
        let program: Bool
        let page: Bool
        /// A token that does not speak of it, one that grants it, one that grants something else, the administrator's.
        let silent: Bool
        let granted: Bool
        let other: Bool
        let administrator: Bool
        var testDescription: String { audience.rawValue }
    }

    static let rows = [
        Row(
            audience: .everyone, program: true, page: true, silent: true, granted: true, other: true,
            administrator: true),
        Row(
            audience: .notBrowsers, program: true, page: false, silent: true, granted: true, other: false,
            administrator: true),
        Row(
            audience: .authenticated, program: false, page: false, silent: true, granted: true, other: false,
            administrator: true),
        Row(
            audience: .granted, program: false, page: false, silent: false, granted: true, other: false,
            administrator: true),
        Row(
            audience: .nobody, program: false, page: false, silent: false, granted: false, other: false,
            administrator: false),
    ]

    @Test("Whom an audience is", arguments: rows)
    func audiences(row: Row) throws {
        let rules = AccessRules(publish: row.audience, subscribe: .nobody)
        func decide(_ principal: Principal?, isBrowser: Bool) throws -> Bool {
            let caller = Caller(principal: principal, isBrowser: isBrowser)
            return rules.decide(.publish, try Self.pattern("/a/b"), caller).isAllowed
        }
        #expect(try decide(nil, isBrowser: false) == row.program)
        #expect(try decide(nil, isBrowser: true) == row.page)
        #expect(try decide(Self.principal(), isBrowser: true) == row.silent)
        #expect(try decide(Self.principal(publish: ["/a/**"]), isBrowser: true) == row.granted)
        #expect(try decide(Self.principal(publish: ["/c", "/a"]), isBrowser: true) == row.other)
        #expect(try decide(Self.principal(isAdmin: true), isBrowser: true) == row.administrator)
        #expect(rules.decide(.publish, try Self.pattern("/a/b"), .trusted).isAllowed)
    }

    @Test("The most specific rule that speaks of the verb decides, and says so")
    func mostSpecific() throws {
        var rules = AccessRules(publish: .nobody, subscribe: .nobody)
        rules.set(.publish, of: try Self.pattern("/a/**"), to: .everyone)
        rules.set(.publish, of: try Self.pattern("/a/*"), to: .nobody)
        rules.set(.publish, of: try Self.pattern("/a/b"), to: .everyone)
        rules.set(.subscribe, of: try Self.pattern("/a/b"), to: .everyone)
        let page = Caller(isBrowser: true)
        func rule(_ channel: String) throws -> String? {
            rules.decide(.publish, try Self.pattern(channel), page).pattern
        }
        #expect(try rule("/a/b") == "/a/b")
        #expect(try rule("/a/c") == "/a/*")
        #expect(try rule("/a/c/d") == "/a/**")
        #expect(try rule("/a") == nil)
        #expect(rules.decide(.publish, try Self.pattern("/a/c"), page).isAllowed == false)
        #expect(rules.decide(.publish, try Self.pattern("/a/c/d"), page).isAllowed)
        #expect(rules.decide(.subscribe, try Self.pattern("/a/c/d"), page).isAllowed == false)
    }

    @Test("A pattern takes in every rule below it")
    func patterns() throws {
        var rules = AccessRules()
        rules.set(.subscribe, of: try Self.pattern("/a/secret"), to: .granted)
        let page = Caller(isBrowser: true)
        let decision = rules.decide(.subscribe, try Self.pattern("/a/**"), page)
        #expect(!decision.isAllowed)
        #expect(decision.pattern == "/a/secret")
        #expect(decision.audience == .granted)
        #expect(rules.decide(.subscribe, try Self.pattern("/**"), page).isAllowed == false)
        #expect(rules.decide(.subscribe, try Self.pattern("/a/b"), page).isAllowed)
        #expect(rules.decide(.subscribe, try Self.pattern("/b/**"), page).isAllowed)
        let alice = Caller(principal: try Self.principal(subscribe: ["/a/secret"]), isBrowser: true)
        #expect(rules.decide(.subscribe, try Self.pattern("/a/**"), alice).isAllowed)
    }

    /// Names that trip up a comparison of joined or cut texts.
    private static let segments = ["a", "b", "a_b", "ab", "a-b", "meta", "service", "A", "-", "(", "aa"]

    private static func name(_ generator: inout SeededGenerator) -> String {
        (0..<Int.random(in: 1...3, using: &generator)).map { _ in
            "/" + segments[Int.random(in: 0..<segments.count, using: &generator)]
        }.joined()
    }

    private static func anyPattern(_ generator: inout SeededGenerator) -> String {
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: Bool.random(using: &generator) ? "/*" : "/**"
        case 1: name(&generator) + "/*"
        case 2: name(&generator) + "/**"
        default: name(&generator)
        }
    }

    /// Whether a pattern stands for a name, said anew over segments.
    private static func naively(_ pattern: String, matches name: String) -> Bool {
        let left = pattern.split(separator: "/"), right = name.split(separator: "/")
        switch left.last {
        case "*": return left.count == right.count && left.dropLast() == right.dropLast()
        case "**": return right.count >= left.count && Array(right.prefix(left.count - 1)) == Array(left.dropLast())
        default: return left == right
        }
    }

    /// How specific a pattern is, as the documentation says it.
    private static func weight(_ pattern: String) -> Int {
        let segments = pattern.split(separator: "/")
        return switch segments.last {
        case "*": 1_000 + segments.count
        case "**": segments.count
        default: 1_000_000
        }
    }

    @Test("As a naive look through all rules decides, on names that look alike", arguments: 0..<40 as Range<UInt64>)
    func likeNaiveMatch(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var rules = AccessRules(publish: .everyone, subscribe: .nobody)
        var list: [String: Audience] = [:]
        for _ in 0..<Int.random(in: 1...12, using: &generator) {
            let text = Self.anyPattern(&generator)
            let audience = Bool.random(using: &generator) ? Audience.everyone : .nobody
            list[text] = audience
            rules.set(.subscribe, of: try Self.pattern(text), to: audience)
        }
        let caller = Caller(isBrowser: true)
        let names = (0..<60).map { _ in Self.name(&generator) }
        func naive(_ name: String) -> Bool {
            let deciding = list.filter { Self.naively($0.key, matches: name) }.max {
                Self.weight($0.key) < Self.weight($1.key)
            }
            return (deciding?.value ?? .nobody) == .everyone
        }
        for name in names {
            let decision = rules.decide(.subscribe, try Self.pattern(name), caller)
            #expect(decision.isAllowed == naive(name), "\(name) with \(list)")
        }
        // Who may subscribe to a pattern may subscribe to each name below it.
        for _ in 0..<20 {
            let pattern = Self.anyPattern(&generator)
            guard rules.decide(.subscribe, try Self.pattern(pattern), caller).isAllowed else { continue }
            for name in names where Self.naively(pattern, matches: name) {
                #expect(naive(name), "\(pattern) takes in \(name) with \(list)")
            }
        }
    }

    @Test("A pattern covers another one when it has all of its names", arguments: 0..<40 as Range<UInt64>)
    func covering(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        // A letter that no pattern has, and one segment more than any: all that sets two patterns apart.
        var names: [String] = []
        var last = [""]
        for _ in 0..<4 {
            last = last.flatMap { name in ["a", "b", "c"].map { "\(name)/\($0)" } }
            names += last
        }
        func draw() -> String {
            let stem = ["", "/a", "/b", "/a/a", "/a/b"][Int.random(in: 0..<5, using: &generator)]
            return stem + ["/*", "/**", "/a"][Int.random(in: 0..<3, using: &generator)]
        }
        for _ in 0..<30 {
            let (left, right) = (draw(), draw())
            let covers = try Self.pattern(left).covers(try Self.pattern(right))
            let all = names.filter { Self.naively(right, matches: $0) }.allSatisfy { Self.naively(left, matches: $0) }
            #expect(covers == all, "\(left) and \(right)")
        }
    }
}
