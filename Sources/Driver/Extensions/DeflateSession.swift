/// permessage-deflate at work on one connection; it finishes every message at once.
///
/// Contexts are made when they are first needed. Memory: about 2^(windowBits + 2) + 2^(memoryLevel + 9) bytes to
/// deflate and 2^windowBits to inflate.
final class DeflateSession: ClientExtensionSession {
    private let options: PermessageDeflate.Options
    private var agreement: DeflateAgreement
    private var deflater: Deflater?
    private var inflater: Inflater?

    init(_ options: PermessageDeflate.Options, _ agreement: DeflateAgreement = .init()) {
        self.options = options
        self.agreement = agreement
    }

    var offers: [ExtensionParameters] { [DeflateParameters(offering: options).parameters] }

    func accept(_ response: ExtensionParameters) -> Bool {
        guard let agreement = DeflateParameters(response, isOffer: false)?.agree(options) else { return false }
        self.agreement = agreement
        return true
    }

    func processIncoming(
        _ payload: RawSpan, _ header: ExtensionMessageHeader, token: ExtensionToken
    ) -> ExtensionOutcome {
        guard header.reservedBits.contains(.rsv1) else { return .unchanged }
        guard let inflater = inflater ?? Inflater(windowBits: agreement.peerWindowBits) else {
            return .failed(.outOfMemory)
        }
        self.inflater = inflater
        defer { if agreement.peerNoContextTakeover { inflater.reset() } }
        do throws(ExtensionFailure) {
            return .message(ExtensionMessage(payload: try inflater.inflate(payload, maximumBytes: header.maximumBytes)))
        } catch {
            return .failed(error)
        }
    }

    func processOutgoing(
        _ payload: RawSpan, _ header: ExtensionMessageHeader, token: ExtensionToken
    ) -> ExtensionOutcome {
        guard payload.byteCount >= options.minimumBytes else { return .unchanged }
        guard let deflater = deflater ?? Deflater(settings) else { return .failed(.outOfMemory) }
        self.deflater = deflater
        let deflated = deflater.deflate(payload)
        if agreement.ownNoContextTakeover { deflater.reset() }
        return .message(ExtensionMessage(reservedBits: .rsv1, payload: deflated))
    }

    func close() {
        deflater = nil
        inflater = nil
    }

    func releaseIdleMemory() {
        if agreement.ownNoContextTakeover { deflater = nil }
        if agreement.peerNoContextTakeover { inflater = nil }
    }

    // With context takeover a later message could refer to what the shared one moved out of reach.
    var sharedDeflation: DeflateSettings? { agreement.ownNoContextTakeover ? settings : nil }

    private var settings: DeflateSettings {
        DeflateSettings(
            level: options.level, windowBits: agreement.ownWindowBits, memoryLevel: options.memoryLevel,
            strategy: options.strategy, minimumBytes: options.minimumBytes)
    }
}

extension ExtensionFailure {
    static var outOfMemory: Self { Self(closeCode: .internalError, message: "Out of memory") }
}
