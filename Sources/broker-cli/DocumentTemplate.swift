import Foundation

/// Documents with `{{…}}` in them, for `publish --template`.
struct DocumentTemplate {
    private static let names = ["count", "time", "unix", "id", "random"]

    /// Replaces what stands in double braces. Throws when that is something unknown.
    func expand(_ bytes: ArraySlice<UInt8>, number: Int, name: String) throws(CLIError) -> [UInt8] {
        var text = String(decoding: bytes, as: UTF8.self)[...]
        var result = ""
        while let start = text.range(of: "{{"), let end = text[start.upperBound...].range(of: "}}") {
            result += text[..<start.lowerBound]
            let word = text[start.upperBound..<end.lowerBound].trimmingCharacters(in: .whitespaces)
            switch word.lowercased() {
            case "count": result += String(number)
            case "time": result += Quantity.now
            case "unix": result += String(Int64(Date.now.timeIntervalSince1970 * 1000))
            case "id": result += UUID().uuidString.lowercased()
            case "random": result += String(UInt32.random(in: 0...UInt32.max))
            default:
                let known = Self.names.map { "{{\($0)}}" }.joined(separator: ", ")
                throw .data("\(name): {{\(word)}} is none of \(known)")
            }
            text = text[end.upperBound...]
        }
        return Array((result + text).utf8)
    }
}
