import BrokerCore
import NIOCore
import NIOHTTP1

/// Tickets for those who cannot send a token: an `EventSource`, and WebSockets of pages.
extension HTTPRoutes {
    private static let ticketMethods = "POST, OPTIONS"

    /// Answers `POST /tickets`, which brings the token: `?ticket=` stands for it once, for half a minute.
    func ticket(_ head: HTTPRequestHead, _ target: RequestTarget) -> HTTPResponse {
        switch head.method {
        case .OPTIONS: return services.preflight(head, methods: Self.ticketMethods)
        case .POST: break
        default: return .methodNotAllowed("A ticket is asked for with POST", allowed: Self.ticketMethods)
        }
        guard services.access.takesTokens else {
            return .problem(.notFound, "This broker takes no tokens: see auth.keys")
        }
        let caller = services.access.caller(of: head, target)
        guard let principal = caller?.principal else {
            return .problem(
                .unauthorized, caller?.refusal?.text ?? "A ticket stands for a token: send it as Authorization: Bearer")
        }
        switch services.access.tickets.issue(to: principal, now: SystemClock.monotonic) {
        case .issued(let ticket):
            let seconds = Tickets.lifetime / 1_000_000_000
            return .json(.created, ByteBuffer(string: #"{"ticket":"\#(ticket)","expires":\#(seconds)}"# + "\n"))
        case .tooManyOfSubject(let seconds):
            return .problem(
                .tooManyRequests,
                "\(services.configuration.ticketsPerSubject) tickets of this subject are not used yet",
                retryAfter: seconds)
        case .tooMany(let seconds):
            return .problem(.tooManyRequests, "Too many tickets are not used yet", retryAfter: seconds)
        }
    }
}
