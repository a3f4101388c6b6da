import BrokerCore
import NIOCore

/// JSON that the broker itself has to say, beyond Bayeux.
indirect enum JSONValue {
    case null
    case boolean(Bool)
    case number(Int)
    /// With three digits behind the point.
    case decimal(Double)
    case string(String)
    case list([JSONValue])
    case object([(String, JSONValue)])

    /// Appends the value without line breaks.
    func append(to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes += "null".utf8
        case .boolean(let value): bytes += "\(value)".utf8
        case .number(let value): bytes += "\(value)".utf8
        case .decimal(let value): bytes += "\((value * 1000).rounded() / 1000)".utf8
        case .string(let value): bytes.append(jsonString: value)
        case .list(let values):
            bytes.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                value.append(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, (name, value)) in members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes.append(jsonString: name)
                bytes.append(UInt8(ascii: ":"))
                value.append(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }
}

extension ByteBuffer {
    /// A JSON object and the end of its line.
    static func object(_ members: [(String, JSONValue)]) -> ByteBuffer {
        var bytes: [UInt8] = []
        JSONValue.object(members).append(to: &bytes)
        bytes.append(UInt8(ascii: "\n"))
        return ByteBuffer(bytes: bytes)
    }
}
