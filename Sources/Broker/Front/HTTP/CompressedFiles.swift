import Driver
import NIOCore
import NIOHTTP1
import WebAssets

/// The files that browsers get, as they go out to who takes gzip: compressed once, when the first broker of the process
/// starts.
struct CompressedFiles: Sendable {
    static let all = CompressedFiles()

    /// By the tags of the files.
    private let bodies: [String: ByteBuffer]

    private init() {
        var bodies: [String: ByteBuffer] = [:]
        for file in WebAssets.all { bodies[file.tag] = Gzip.compress(file.bytes).map { ByteBuffer(bytes: $0) } }
        self.bodies = bodies
    }

    /// A file compressed, if whoever asks for it like this takes that.
    func body(of file: WebAssets.File, for headers: HTTPHeaders) -> ByteBuffer? {
        Self.takesGzip(headers) ? bodies[file.tag] : nil
    }

    /// The entity tag of what has another one as it is: each coding is a representation of its own (RFC 9110 §8.8.3.3).
    static func tag(of tag: String) -> String {
        tag.hasSuffix("\"") ? String(tag.dropLast()) + "-gzip\"" : tag + "-gzip"
    }

    /// Whether gzip is named, and not with a weight of nothing (RFC 9110 §12.5.3).
    private static func takesGzip(_ headers: HTTPHeaders) -> Bool {
        headers[canonicalForm: "Accept-Encoding"].contains { coding in
            let parts = coding.lowercased().split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
            guard let name = parts.first, name == "gzip" || name == "x-gzip" else { return false }
            return parts.dropFirst().allSatisfy { !$0.hasPrefix("q=") || (Double($0.dropFirst(2)) ?? 0) > 0 }
        }
    }
}
