import BrokerCore
import Driver
import NIOHTTP1
import Synchronization

/// Who may do what, as far as requests tell: tells from a request who sends it.
package final class AccessControl: Sendable {
    let tickets: Tickets
    private let tokens: TokenVerifier
    private let revocations: RevocationList?
    private let hasRules = Atomic(false)

    /// The rules of a configuration, what tokens are verified with, and those that are revoked.
    init(configuration: BrokerConfiguration, tokens: TokenVerifier, revocations: RevocationList?) {
        self.tokens = tokens
        self.revocations = revocations
        tickets = Tickets(
            maximumCount: configuration.tickets, maximumPerSubject: configuration.ticketsPerSubject)
        set(rules: Self.rules(of: configuration))
    }

    /// The rules of a configuration; nil when everybody may do everything, and nobody is asked.
    static func rules(of configuration: BrokerConfiguration) -> AccessRules? {
        let takesTokens = !configuration.access.keySources.isEmpty
        let rules = configuration.access(takesTokens: takesTokens)
        return rules.isOpen && !takesTokens ? nil : rules
    }

    /// From now on the router has these rules.
    func set(rules: AccessRules?) {
        hasRules.store(rules != nil, ordering: .relaxed)
    }

    /// Whether there are rules, so that the router has to know who asks.
    private var isGuarded: Bool { hasRules.load(ordering: .relaxed) }

    /// Whether tokens are taken.
    var takesTokens: Bool { tokens.takesTokens }

    /// Who sends an HTTP request: by `Authorization`, or by a ticket where the sender can be an `EventSource`.
    ///
    /// `address` is where they are, as far as it counts for limits.
    func caller(of head: HTTPRequestHead, _ target: RequestTarget, at address: IPAddress? = nil) -> Caller? {
        guard isGuarded || address != nil else { return nil }
        var caller = Caller(isBrowser: Self.isBrowser { head.headers.contains(name: $0) })
        caller.address = address
        identify(&caller, authorization: head.headers["Authorization"])
        if takesTokens, caller.principal == nil, caller.refusal == nil, head.acceptsEventStream,
            let ticket = target.first("ticket")
        {
            redeem(ticket, &caller)
        }
        return caller
    }

    /// Who opens a WebSocket: by `Authorization`, a subprotocol that holds the token, or a ticket.
    func caller(ofSocket request: RequestHead, _ target: RequestTarget, at address: IPAddress?) -> Caller? {
        guard isGuarded || address != nil else { return nil }
        var caller = Caller(isBrowser: Self.isBrowser { request.headers.first($0) != nil })
        caller.address = address
        identify(&caller, authorization: request.headers.first("Authorization").map { [$0] } ?? [])
        guard takesTokens, caller.principal == nil, caller.refusal == nil else { return caller }
        if let token = Self.token(inSubprotocols: request.headers.first("Sec-WebSocket-Protocol")) {
            take(token, &caller)
        } else if let ticket = target.first("ticket") {
            redeem(ticket, &caller)
        }
        return caller
    }

    /// The tokens in the `ext` of a batch's messages. A batch brings one; another one in it is refused, unless it is the same.
    func addTokens(of batch: borrowing [Envelope], text: RawSpan, to caller: inout Caller) {
        guard tokens.takesTokens else { return }
        var first: (token: String, result: Result<Principal, BayeuxError>)?
        for index in batch.indices where batch[index].ext.kind == .object {
            let member = batch[index].ext.member("token", in: text)
            guard !member.isAbsent, member.kind != .null else { continue }
            guard let token = member.string(in: text) else {
                caller.tokens[index] = .failure(.token("Token refused: it is no text"))
                continue
            }
            if let first {
                caller.tokens[index] =
                    first.token.isSame(as: token)
                    ? first.result : .failure(.token("Token refused: the batch has another one"))
                continue
            }
            let result = tokens.verify(token, wall: SystemClock.now.wall)
            first = (token, result)
            caller.tokens[index] = result
        }
    }

    /// Whether a request may see and do what is the administrator's.
    ///
    /// That takes a token that says so. As long as no keys are configured it is whoever is on this machine. A web page is
    /// not, wherever its browser runs: one of another origin is told by `Origin` or `Sec-Fetch-Site`, one whose name was
    /// turned to this machine (DNS rebinding) by `Host`. Nor is somebody far away whose request a proxy here passes on:
    /// as soon as a proxy is trusted, nobody is without a token, nor ever what shows a proxy's traces, or comes by a Unix
    /// socket, at which one finds proxies.
    func isAdmin(_ head: HTTPRequestHead, _ handler: HTTPHandler) -> Bool {
        guard takesTokens else {
            return !handler.services.configuration.trustsProxies && handler.origin.isLocal
                && handler.origin.address != nil
                && Self.isLocal(head)
        }
        var caller = Caller(isBrowser: false)
        identify(&caller, authorization: head.headers["Authorization"])
        return caller.principal?.isAdmin == true
    }

    /// Whether nothing in a request says that it comes from elsewhere.
    static func isLocal(_ head: HTTPRequestHead) -> Bool {
        let headers = head.headers
        // What proxies speak to those behind them, and hardly anybody else does.
        guard (head.version.major, head.version.minor) >= (1, 1) else { return false }
        let hosts = headers["Host"]
        guard hosts.count == 1, HostName.isLoopback(HostName.host(of: hosts[0].lowercased())) else { return false }
        if ["Forwarded", "Via", "X-Real-IP"].contains(where: headers.contains) { return false }
        if headers.contains(where: { $0.name.lowercased().hasPrefix("x-forwarded-") }) { return false }
        if let site = headers.first(name: "Sec-Fetch-Site"), site != "same-origin", site != "none" { return false }
        return headers["Origin"].allSatisfy { origin in
            ["http://", "https://"].contains { origin.lowercased() == $0 + hosts[0].lowercased() }
        }
    }

    /// What only browsers send.
    private static func isBrowser(_ has: (String) -> Bool) -> Bool {
        ["Origin", "Sec-WebSocket-Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode"].contains(where: has)
    }

    /// Credentials of another kind are a proxy's, and not looked at (RFC 6750 §2.1).
    private func identify(_ caller: inout Caller, authorization fields: [String]) {
        guard takesTokens, let field = fields.first else { return }
        let scheme = "bearer "
        guard field.lowercased().hasPrefix(scheme) else { return }
        guard fields.count == 1 else { return caller.refusal = .token("Token refused: more than one Authorization") }
        take(field.dropFirst(scheme.count).split(separator: " ").joined(separator: " "), &caller)
    }

    private func take(_ token: String, _ caller: inout Caller) {
        switch tokens.verify(token, wall: SystemClock.now.wall) {
        case .success(let principal): admit(principal, &caller)
        case .failure(let refusal): caller.refusal = refusal
        }
    }

    private func redeem(_ ticket: String, _ caller: inout Caller) {
        guard let principal = tickets.redeem(ticket, now: SystemClock.monotonic) else {
            return caller.refusal = .ticket
        }
        admit(principal, &caller)
    }

    /// Somebody is whom a token or a ticket names, unless that was taken back. The router looks, too, whenever it is asked;
    /// it is not for tickets, handshakes of WebSockets and the administrator's pages.
    private func admit(_ principal: Principal, _ caller: inout Caller) {
        if revocations?.cover(principal) == true {
            caller.refusal = .tokenRevoked
        } else {
            caller.principal = principal
        }
    }

    /// The subprotocol that a page offers beside the token, and gets.
    static let subprotocol = "fanfare"
    private static let tokenSubprotocol = "fanfare.bearer."

    private static func token(inSubprotocols field: String?) -> String? {
        field?.split(separator: ",").lazy
            .map { $0.drop { $0 == " " || $0 == "\t" }.prefix { $0 != " " && $0 != "\t" } }
            .first { $0.hasPrefix(tokenSubprotocol) }
            .map { String($0.dropFirst(tokenSubprotocol.count)) }
    }
}
