/// The extensions that an owner registered with a driver, and the agreement with the peer.
struct ExtensionNegotiation {
    private var extensions: [any WebSocketExtension] = []
    /// Client: the sessions whose offers went out.
    private var clientSessions: [(offered: any WebSocketExtension, session: any ClientExtensionSession)] = []

    mutating func add(_ added: any WebSocketExtension) throws(ExtensionRegistrationError) {
        guard ASCII.isToken(added.name) else { throw .invalidName(added.name) }
        guard !extensions.contains(where: { $0.name == added.name }) else { throw .alreadyRegistered(added.name) }
        extensions.append(added)
    }

    /// Server: agrees, in the order of registration, to what is offered and leaves the reserved bits distinct;
    /// `nil` if that is nothing.
    func accept(_ offers: [ExtensionOffer]) -> (members: [ExtensionMember], response: String)? {
        var members: [ExtensionMember] = []
        var responses: [ExtensionOffer] = []
        var taken: ReservedBits = []
        for candidate in extensions {
            let parameters = offers.filter { $0.name == candidate.name }.map(\.parameters)
            guard !parameters.isEmpty, taken.isDisjoint(with: candidate.reservedBits),
                let (session, response) = candidate.makeServerSession(for: parameters)
            else { continue }
            taken.formUnion(candidate.reservedBits)
            members.append(
                ExtensionMember(name: candidate.name, reservedBits: candidate.reservedBits, session: session))
            responses.append(ExtensionOffer(name: candidate.name, parameters: response))
        }
        return members.isEmpty ? nil : (members, ExtensionHeader.serialize(responses))
    }

    /// Client: makes the sessions; their offers as a header's value, `nil` if there are none.
    mutating func makeOffers() -> String? {
        var offers: [ExtensionOffer] = []
        for candidate in extensions {
            guard let session = candidate.makeClientSession() else { continue }
            clientSessions.append((candidate, session))
            offers += session.offers.map { ExtensionOffer(name: candidate.name, parameters: $0) }
        }
        return offers.isEmpty ? nil : ExtensionHeader.serialize(offers)
    }

    /// Client: takes the server's response, in whose order the extensions will work.
    func check(_ headers: HeaderFields) throws(ProtocolViolation) -> [ExtensionMember] {
        let responses: [ExtensionOffer]
        do throws(ExtensionHeader.Malformed) {
            responses = try ExtensionHeader.offers(in: headers)
        } catch {
            throw .response(error.description)
        }
        var members: [ExtensionMember] = []
        for response in responses {
            guard let (offered, session) = clientSessions.first(where: { $0.offered.name == response.name }) else {
                throw .response("Server sent an extension response for unknown extension \"\(response.name)\"")
            }
            for (index, bit) in [ReservedBits.rsv1, .rsv2, .rsv3].enumerated() where offered.reservedBits.contains(bit)
            {
                guard let other = members.first(where: { $0.reservedBits.contains(bit) }) else { continue }
                throw .response(
                    "Server sent two extension responses that use the RSV\(index + 1) bit: "
                        + "\"\(other.name)\" and \"\(response.name)\"")
            }
            // Without a bit to clash, a second response of the same extension would share its session.
            guard !members.contains(where: { $0.name == response.name }), session.accept(response.parameters) else {
                throw .response(
                    "Server sent unacceptable extension parameters: \(ExtensionHeader.serialize([response]))")
            }
            members.append(
                ExtensionMember(name: response.name, reservedBits: offered.reservedBits, session: session))
        }
        return members
    }
}
