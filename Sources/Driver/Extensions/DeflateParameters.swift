/// The parameters of permessage-deflate (RFC 7692 §7.1), of an offer or a response.
struct DeflateParameters: Equatable {
    /// A window as a power of two; without a value it only says that one may be named.
    enum WindowBits: Equatable {
        case flag
        case value(Int)
    }

    var serverNoContextTakeover = false
    var clientNoContextTakeover = false
    var serverMaxWindowBits: Int?
    var clientMaxWindowBits: WindowBits?

    private static let serverTakeover = "server_no_context_takeover"
    private static let clientTakeover = "client_no_context_takeover"
    private static let serverWindow = "server_max_window_bits"
    private static let clientWindow = "client_max_window_bits"
    /// The smallest window that zlib deflates with; a peer's smaller one is inflated with it as well.
    static let smallestWindowBits = 9

    init() {}

    /// Judges parameters; `nil` if one is unknown, repeated, or has a value that it must not have.
    init?(_ parameters: ExtensionParameters, isOffer: Bool) {
        for name in parameters.names {
            switch (name, parameters[name]) {
            case (Self.serverTakeover, .flag?): serverNoContextTakeover = true
            case (Self.clientTakeover, .flag?): clientNoContextTakeover = true
            case (Self.serverWindow, .integer(let bits)?) where 8...15 ~= bits: serverMaxWindowBits = bits
            case (Self.clientWindow, .integer(let bits)?) where 8...15 ~= bits: clientMaxWindowBits = .value(bits)
            case (Self.clientWindow, .flag?) where isOffer: clientMaxWindowBits = .flag
            default: return nil
            }
        }
    }

    /// What a client offers.
    init(offering options: PermessageDeflate.Options) {
        serverNoContextTakeover = options.requestNoContextTakeover
        clientNoContextTakeover = options.noContextTakeover
        serverMaxWindowBits = options.requestMaxWindowBits
        clientMaxWindowBits = options.maxWindowBits.map(WindowBits.value) ?? .flag
    }

    var parameters: ExtensionParameters {
        var parameters = ExtensionParameters()
        if serverNoContextTakeover { parameters.append(Self.serverTakeover, .flag) }
        if clientNoContextTakeover { parameters.append(Self.clientTakeover, .flag) }
        if let bits = serverMaxWindowBits { parameters.append(Self.serverWindow, .integer(bits)) }
        switch clientMaxWindowBits {
        case .value(let bits)?: parameters.append(Self.clientWindow, .integer(bits))
        case .flag?: parameters.append(Self.clientWindow, .flag)
        case nil: break
        }
        return parameters
    }

    /// A server's answer to this offer; `nil` if it wants a window that zlib cannot deflate with.
    func accept(
        _ options: PermessageDeflate.Options
    ) -> (agreement: DeflateAgreement, response: DeflateParameters)? {
        var response = Self()
        response.serverNoContextTakeover = serverNoContextTakeover || options.noContextTakeover
        response.clientNoContextTakeover = clientNoContextTakeover || options.requestNoContextTakeover
        let ownBits = min(options.maxWindowBits ?? 15, serverMaxWindowBits ?? 15)
        guard ownBits >= Self.smallestWindowBits else { return nil }
        // Named to a client that named it (RFC 7692 §7.1.2.1), and to no other: some take that for an error.
        if serverMaxWindowBits != nil { response.serverMaxWindowBits = ownBits }
        var peerBits = 15
        switch clientMaxWindowBits {
        case .flag?: peerBits = options.requestMaxWindowBits ?? 15
        case .value(let bits)?: peerBits = min(options.requestMaxWindowBits ?? 15, bits)
        case nil: break
        }
        if clientMaxWindowBits != nil, peerBits < 15 { response.clientMaxWindowBits = .value(peerBits) }
        let agreement = DeflateAgreement(
            ownNoContextTakeover: response.serverNoContextTakeover, ownWindowBits: ownBits,
            peerNoContextTakeover: response.clientNoContextTakeover, peerWindowBits: peerBits)
        return (agreement, response)
    }

    /// What a client makes of this response; `nil` if it does not grant what was asked, or asks for what zlib cannot.
    func agree(_ options: PermessageDeflate.Options) -> DeflateAgreement? {
        var ownBits = options.maxWindowBits ?? 15
        if case .value(let bits)? = clientMaxWindowBits {
            guard bits <= ownBits, bits >= Self.smallestWindowBits else { return nil }
            ownBits = bits
        }
        if options.requestNoContextTakeover, !serverNoContextTakeover { return nil }
        let peerBits = serverMaxWindowBits ?? 15
        if let requested = options.requestMaxWindowBits, requested < peerBits { return nil }
        return DeflateAgreement(
            ownNoContextTakeover: clientNoContextTakeover || options.noContextTakeover, ownWindowBits: ownBits,
            peerNoContextTakeover: serverNoContextTakeover, peerWindowBits: peerBits)
    }
}

/// How both directions of a connection are compressed; "own" is the one that this endpoint sends.
struct DeflateAgreement: Equatable {
    var ownNoContextTakeover = false
    var ownWindowBits = 15
    var peerNoContextTakeover = false
    var peerWindowBits = 15
}
