import FuzzSupport

@testable import Driver

@main
enum FuzzExtensionHeader {
    static func main() { runFuzzer { fuzzExtensionHeader($0, $1) } }
}

/// `Sec-WebSocket-Extensions`: what is read can be written and is read as the same; and nothing that a peer offers or
/// answers breaks an agreement.
///
/// Choices: the options of a server and of a client, four bytes each.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzExtensionHeader(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let server = deflate(&input)
    let client = deflate(&input)
    let bytes = input.rest()

    let offers = withExactCopy(bytes) { ExtensionHeader.parse(utf8: $0) }
    let text = String(decoding: bytes, as: UTF8.self)
    // Bytes that are no UTF-8 become others in a text, but are refused either way.
    require((try? ExtensionHeader.parse(text)) == offers, "a text is read like its bytes")
    if let offers {
        require(offers.allSatisfy { ASCII.isToken($0.name) && $0.parameters.names.allSatisfy(ASCII.isToken) })
        let written = ExtensionHeader.serialize(offers)
        require(ExtensionHeader.parse(utf8: written.utf8) == offers, "what is written is read as the same")
        require(ExtensionHeader.serialize(ExtensionHeader.parse(utf8: written.utf8) ?? []) == written)
        judgeAsOffers(offers, server)
    }
    judgeAsResponse(text, client)
    agree(client, server)
    return 0
}

/// A server's answer can be read, and names only what was offered.
private func judgeAsOffers(_ offers: [ExtensionOffer], _ server: PermessageDeflate) {
    guard let answer = negotiation(server).accept(offers) else { return }
    let responses = ExtensionHeader.parse(utf8: answer.response.utf8)
    require(responses?.map(\.name) == answer.members.map(\.name), "an answer has an element for each member")
    require(answer.members.allSatisfy { member in offers.contains { $0.name == member.name } })
    for (index, member) in answer.members.enumerated() {
        for other in answer.members[..<index] { require(other.reservedBits.isDisjoint(with: member.reservedBits)) }
        member.close()
    }
}

private func judgeAsResponse(_ text: String, _ client: PermessageDeflate) {
    var negotiation = negotiation(client)
    _ = negotiation.makeOffers()
    do throws(ProtocolViolation) {
        let members = try negotiation.check([("Sec-WebSocket-Extensions", text)].headers)
        require(members.count <= 3, "each extension is agreed on once")
    } catch {
        require(error.closeCode == .protocolError && error.httpStatus == nil)
    }
}

/// Whatever the options, what our server answers to our client is what our client accepts.
private func agree(_ client: PermessageDeflate, _ server: PermessageDeflate) {
    var offering = negotiation(client)
    guard let offers = offering.makeOffers(), let parsed = ExtensionHeader.parse(utf8: offers.utf8),
        let answer = negotiation(server).accept(parsed)
    else { fatalError("our own offers are refused") }
    do {
        let members = try offering.check([("Sec-WebSocket-Extensions", answer.response)].headers)
        require(members.map(\.name) == answer.members.map(\.name), "both sides agree on the same")
    } catch {
        fatalError("our own answer is refused: \(error)")
    }
}

private func negotiation(_ deflate: PermessageDeflate) -> ExtensionNegotiation {
    var negotiation = ExtensionNegotiation()
    for added: any WebSocketExtension in [
        Plain(name: "a", reservedBits: .rsv2), deflate, Plain(name: "b", reservedBits: .rsv2),
    ] {
        do { try negotiation.add(added) } catch { fatalError("a valid extension is refused") }
    }
    return negotiation
}

/// Options of all kinds, valid always.
private func deflate(_ input: inout FuzzInput) -> PermessageDeflate {
    let flags = input.flags()
    var options = PermessageDeflate.Options()
    options.noContextTakeover = flags[0]
    options.requestNoContextTakeover = flags[1]
    options.maxWindowBits = input.choice([nil, 9, 10, 14, 15])
    options.requestMaxWindowBits = input.choice([nil, 9, 10, 14, 15])
    options.level = input.choice([-1, 0, 1, 9])
    do { return try PermessageDeflate(options) } catch { fatalError("valid options are refused") }
}

/// An extension that takes any offer, and claims bits that another one claims, too.
private struct Plain: WebSocketExtension {
    let name: String
    let reservedBits: ReservedBits

    func makeClientSession() -> (any ClientExtensionSession)? { PlainSession() }
    func makeServerSession(
        for offers: [ExtensionParameters]
    ) -> (session: any ExtensionSession, response: ExtensionParameters)? {
        offers.first.map { (PlainSession(), $0) }
    }
}

private final class PlainSession: ClientExtensionSession {
    var offers: [ExtensionParameters] { [["x": .integer(1)]] }
    func accept(_ response: ExtensionParameters) -> Bool { true }
    func processIncoming(
        _ payload: RawSpan, _ header: ExtensionMessageHeader, token: ExtensionToken
    ) -> ExtensionOutcome { .unchanged }
    func processOutgoing(
        _ payload: RawSpan, _ header: ExtensionMessageHeader, token: ExtensionToken
    ) -> ExtensionOutcome { .unchanged }
    func close() {}
}

extension [(String, String)] {
    var headers: HeaderFields { reduce(into: HeaderFields()) { $0.append($1.0, $1.1) } }
}
