import BrokerCore

/// A JSON object or array that is looked into.
struct JSONText {
    private let bytes: [UInt8]
    private let value: JSONSlice

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        value = (try? EnvelopeScanner().scanValue(validatingUTF8: bytes.span.bytes)) ?? .absent
    }

    private func slice(_ name: String) -> JSONSlice {
        var members = value.members
        var found = JSONSlice.absent
        while let (member, value) = members.next(in: bytes.span.bytes) {
            if member.string(in: bytes.span.bytes) == name { found = value }
        }
        return found
    }

    /// A member that is a string.
    func member(_ name: String) -> String? { slice(name).string(in: bytes.span.bytes) }
    /// A member that is an integer.
    func integer(_ name: String) -> Int64? { slice(name).integer(in: bytes.span.bytes) }
    /// A member that is a number.
    func double(_ name: String) -> Double? { slice(name).double(in: bytes.span.bytes) }
    /// A member that is true.
    func isTrue(_ name: String) -> Bool { slice(name).bool == true }
    /// A member as it was written.
    func raw(_ name: String) -> [UInt8]? {
        let slice = slice(name)
        return slice.isAbsent ? nil : Array(bytes[slice.range])
    }
    /// The members of an object, their values as they were written.
    var members: [(name: String, value: [UInt8])] {
        var members = value.members
        var found: [(String, [UInt8])] = []
        while let (member, value) = members.next(in: bytes.span.bytes) {
            if let name = member.string(in: bytes.span.bytes) { found.append((name, Array(bytes[value.range]))) }
        }
        return found
    }
    /// Whether it is an array.
    var isArray: Bool { value.kind == .array }
    /// The elements of an array, as they were written.
    var elements: [[UInt8]] {
        var elements = value.elements
        var found: [[UInt8]] = []
        while let element = elements.next(in: bytes.span.bytes) { found.append(Array(bytes[element.range])) }
        return found
    }
}
