extension TestBroker {
    /// The numbers of `/metrics` now, by name and labels as they stand there; it must be open to all. Asked over a connection
    /// of its own, or over `socket`.
    func metrics(over socket: TestSocket? = nil) async throws -> [String: Double] {
        let connection: TestSocket
        if let socket { connection = socket } else { connection = try await connect() }
        let text = try await connection.request("GET", "/metrics").body
        var numbers: [String: Double] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " ") else { throw Missing("a number in \(line)") }
            numbers[String(line[..<space])] = Double(line[line.index(after: space)...])
        }
        return numbers
    }
}
