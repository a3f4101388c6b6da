import Foundation

/// Where keys of tokens come from: a file, or an address at which a set of them is published; perhaps for tokens of one
/// issuer only.
///
/// It is written as the place alone, or as `ISSUER=PLACE`. Issuers are often addresses themselves, and an address may
/// hold a `=`: what begins with `http://` or `https://` behind a `=` is the place, and an address with a `?` is one as
/// a whole.
package struct TokenKeySource: Sendable, Hashable, CustomStringConvertible {
    /// A place.
    package enum Place: Sendable, Hashable {
        case file(String)
        /// Of `https`, or of `http`.
        case address(String)
    }
    package let place: Place
    /// The only `iss` that the keys speak for; nil for any.
    package let issuer: String?
    /// As it is written.
    package let description: String

    /// What a text stands for; nil when that is neither a path nor a good address.
    package init?(_ text: String) {
        let (issuer, place) = Self.parts(of: text)
        guard !place.isEmpty, issuer?.isEmpty != true else { return nil }
        if place.contains("://") {
            guard Self.isAddress(place) else { return nil }
            self.place = .address(place)
        } else {
            self.place = .file(place)
        }
        self.issuer = issuer
        description = text
    }

    /// The file at a path, whatever signs that has.
    package init(file path: String) {
        place = .file(path)
        issuer = nil
        description = path
    }

    /// Its address, if it has one.
    package var address: String? {
        if case .address(let address) = place { address } else { nil }
    }

    /// Whether strangers on the way could put other keys in the place of these.
    package var isOpenToStrangers: Bool {
        guard let address, let url = URLComponents(string: address), url.scheme?.lowercased() == "http" else {
            return false
        }
        return !HostName.isLoopback((url.host ?? "").lowercased())
    }

    /// A path that has a `=` in it is written with a slash or a dot before.
    private static func parts(of text: String) -> (issuer: String?, place: String) {
        if text.hasPrefix("/") || text.hasPrefix(".") { return (nil, text) }
        let addresses = ["=https://", "=http://"].compactMap { text.range(of: $0)?.lowerBound }
        let isWholeAddress = ["https://", "http://"].contains(where: text.hasPrefix) && text.contains("?")
        guard let sign = addresses.min() ?? (isWholeAddress ? nil : text.lastIndex(of: "=")) else { return (nil, text) }
        return (String(text[..<sign]), String(text[text.index(after: sign)...]))
    }

    /// A fragment would mean nothing, and credentials would be shown wherever the configuration is.
    private static func isAddress(_ text: String) -> Bool {
        guard let url = URLComponents(string: text), let host = url.host, !host.isEmpty else { return false }
        return ["https", "http"].contains(url.scheme?.lowercased()) && url.user == nil && url.password == nil
            && url.fragment == nil && (url.port.map { (1...65_535).contains($0) } ?? true)
    }
}
