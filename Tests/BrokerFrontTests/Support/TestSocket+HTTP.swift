/// The broker's answer to a request.
struct HTTPAnswer: Equatable {
    let status: Int
    /// By name in lower case.
    let headers: [String: String]
    let body: String

    var isLast: Bool { headers["connection"] == "close" }
}

extension TestSocket {
    /// What browsers say with a request of a page of the same host.
    static let ownPage = ("Referer", "http://broker.test/page")

    /// Sends a request and reads the answer; the connection is kept for the next one.
    func request(
        _ method: String, _ target: String, headers: [(String, String)] = [], body: String = ""
    ) async throws -> HTTPAnswer {
        try await send(Self.request(method, target, headers: headers, body: body))
        return try await readAnswer(hasBody: method != "HEAD")
    }

    /// The bytes of a request.
    static func request(
        _ method: String, _ target: String, headers: [(String, String)] = [], body: String = ""
    ) -> String {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: broker.test\r\n"
        if !body.isEmpty { text += "Content-Length: \(body.utf8.count)\r\n" }
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        return text + "\r\n" + body
    }

    /// Reads one answer with a `Content-Length`.
    func readAnswer(hasBody: Bool = true) async throws -> HTTPAnswer {
        let lines = try await read(through: "\r\n\r\n").split(separator: "\r\n")
        let statusLine = lines.first?.split(separator: " ") ?? []
        guard statusLine.count > 1, let status = Int(statusLine[1]) else { throw Missing("no status in \(lines)") }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? parts[1].trimmingPrefix(" ").description : ""
        }
        let length = hasBody ? headers["content-length"].flatMap { Int($0) } ?? 0 : 0
        return HTTPAnswer(status: status, headers: headers, body: try await read(count: length))
    }
}
