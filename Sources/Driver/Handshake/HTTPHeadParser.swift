/// Parses what an ``HTTPHeadReader`` collected: lines that each end with LF, the empty one left out.
///
/// Stricter than HTTP where leniency has been a way to smuggle: no folded lines, no blank before a colon, single
/// spaces in the first line.
enum HTTPHeadParser {
    static func parseRequest(_ bytes: [UInt8]) throws(ProtocolViolation) -> RequestHead {
        let lines = lines(bytes)
        let parts = lines[0].split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, parts[0].allSatisfy(ASCII.isTokenByte),
            !parts[1].isEmpty, !parts[1].contains(0x09), isHTTPVersion(parts[2])
        else { throw .invalidRequest }
        let version = string(parts[2])
        guard version == "HTTP/1.1" || version == "HTTP/1.0" else { throw .unsupportedHTTPVersion }
        guard let headers = parseHeaders(lines.dropFirst()) else { throw .invalidRequest }
        return RequestHead(method: string(parts[0]), target: string(parts[1]), version: version, headers: headers)
    }

    static func parseResponse(_ bytes: [UInt8]) -> ResponseHead? {
        let lines = lines(bytes)
        // HTTP-version SP 3DIGIT SP [reason-phrase]; many servers leave out the second space with the phrase.
        let parts = lines[0].split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, isHTTPVersion(parts[0]), parts[0].starts(with: "HTTP/1.".utf8), parts[1].count == 3,
            parts[1].allSatisfy(ASCII.isDigit), let status = Int(string(parts[1])),
            let headers = parseHeaders(lines.dropFirst())
        else { return nil }
        return ResponseHead(status: status, headers: headers)
    }

    /// At least one line, because a reader skips empty ones before the first.
    private static func lines(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        bytes.dropLast().split(separator: 0x0A, omittingEmptySubsequences: false)
    }

    private static func parseHeaders(_ lines: ArraySlice<ArraySlice<UInt8>>) -> HeaderFields? {
        var headers = HeaderFields()
        for line in lines {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
                line[..<colon].allSatisfy(ASCII.isTokenByte)
            else { return nil }
            let value = ASCII.trimmed(Substring(string(line[(colon + 1)...])))
            headers.append(string(line[..<colon]), String(value))
        }
        return headers
    }

    private static func isHTTPVersion(_ text: ArraySlice<UInt8>) -> Bool {
        let tail = text.dropFirst(5)
        return text.starts(with: "HTTP/".utf8) && tail.count == 3 && ASCII.isDigit(tail[tail.startIndex])
            && tail[tail.startIndex + 1] == UInt8(ascii: ".") && ASCII.isDigit(tail[tail.startIndex + 2])
    }

    private static func string(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}
