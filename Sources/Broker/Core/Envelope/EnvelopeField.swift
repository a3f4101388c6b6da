/// The names of Bayeux's fields.
enum EnvelopeField {
    case channel, clientId, id, data, ext, subscription, version, minimumVersion, supportedConnectionTypes
    case connectionType, advice, successful, error
}

extension Envelope {
    @inline(__always)
    mutating func set(_ field: EnvelopeField, to value: JSONSlice) {
        switch field {
        case .channel: channel = value
        case .clientId: clientId = value
        case .id: id = value
        case .data: data = value
        case .ext: ext = value
        case .subscription: subscription = value
        case .version: version = value
        case .minimumVersion: minimumVersion = value
        case .supportedConnectionTypes: supportedConnectionTypes = value
        case .connectionType: connectionType = value
        case .advice: advice = value
        case .successful: successful = value
        case .error: error = value
        }
    }
}

extension JSONCursor {
    /// The field that a name of a member, which was just read, stands for; nil for a name that Bayeux does not know.
    @inline(__always)
    func field(named name: JSONSlice) -> EnvelopeField? {
        if name.kind == .escapedString { return field(namedWithEscapes: name) }
        return field(base + Int(name.offset) + 1, count: Int(name.count) - 2)
    }

    /// By length first: no two fields of one length begin alike.
    @inline(__always)
    private func field(_ name: UnsafeRawPointer, count: Int) -> EnvelopeField? {
        switch count {
        case 2: Self.equal(name, "id") ? .id : nil
        case 3: Self.equal(name, "ext") ? .ext : nil
        case 4: Self.equal(name, "data") ? .data : nil
        case 5: Self.equal(name, "error") ? .error : nil
        case 6: Self.equal(name, "advice") ? .advice : nil
        case 7: Self.equal(name, "channel") ? .channel : Self.equal(name, "version") ? .version : nil
        case 8: Self.equal(name, "clientId") ? .clientId : nil
        case 10: Self.equal(name, "successful") ? .successful : nil
        case 12: Self.equal(name, "subscription") ? .subscription : nil
        case 14:
            Self.equal(name, "connectionType")
                ? .connectionType : Self.equal(name, "minimumVersion") ? .minimumVersion : nil
        case 24: Self.equal(name, "supportedConnectionTypes") ? .supportedConnectionTypes : nil
        default: nil
        }
    }

    /// `{"\u0063hannel": …}` names the channel as well: to JSON the two are one name.
    private func field(namedWithEscapes name: JSONSlice) -> EnvelopeField? {
        // The longest name has 24 characters, of at most 6 bytes each.
        guard name.count <= 24 * 6 + 2 else { return nil }
        let text = UnsafeRawBufferPointer(start: base, count: end)
        guard let decoded = JSONEscapes.decode(text, name.range) else { return nil }
        return decoded.utf8.span.bytes.withUnsafeBytes { bytes in
            bytes.baseAddress.flatMap { field($0, count: bytes.count) }
        }
    }

    /// Whether the bytes at `name` are those of `literal`, which has as many.
    @inline(__always)
    private static func equal(_ name: UnsafeRawPointer, _ literal: StaticString) -> Bool {
        let expected = UnsafeRawPointer(literal.utf8Start)
        var rest = literal.utf8CodeUnitCount
        var offset = 0
        while rest >= 8 {
            let left = name.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            if left != expected.loadUnaligned(fromByteOffset: offset, as: UInt64.self) { return false }
            offset += 8
            rest -= 8
        }
        if rest >= 4 {
            let left = name.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            if left != expected.loadUnaligned(fromByteOffset: offset, as: UInt32.self) { return false }
            offset += 4
            rest -= 4
        }
        while rest > 0 {
            let left = name.load(fromByteOffset: offset, as: UInt8.self)
            if left != expected.load(fromByteOffset: offset, as: UInt8.self) { return false }
            offset += 1
            rest -= 1
        }
        return true
    }
}
