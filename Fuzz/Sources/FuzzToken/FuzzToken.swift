import Foundation
import FuzzSupport

@testable import FrontParsers

@main
enum FuzzToken {
    static func main() { runFuzzer { fuzzToken($0, $1) } }
}

/// The header and the claims of a token, which anybody can send.
///
/// Choices: a byte whose first bit says whether the rest is as it comes, in base64url; else it is the two objects, a line
/// each.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzToken(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let isEncoded = input.flags()[0]
    let text = input.rest()
    let separator = UInt8(ascii: isEncoded ? "." : "\n")
    let parts = text.split(separator: separator, maxSplits: 1, omittingEmptySubsequences: false)
    let objects = parts.compactMap { isEncoded ? try? TokenPart.decode($0) : Data($0) }
    if let header = objects.first, let read = try? TokenPart.read(TokenHeader.self, in: header) {
        require((read.alg ?? "").utf8.count + (read.kid ?? "").utf8.count <= 3 * header.count, "what is read was there")
    }
    if let claims = objects.last, let read = try? TokenPart.read(TokenClaims.self, in: claims) {
        guard let written = try? JSONEncoder().encode(read) else { fatalError("Cannot write what was read") }
        require((try? TokenPart.read(TokenClaims.self, in: written)) == read, "what is written can be read")
    }
    return 0
}
