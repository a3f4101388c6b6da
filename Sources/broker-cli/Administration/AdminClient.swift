import BrokerCore
import FanfareClient

/// What the broker tells its administrator, over HTTP.
struct AdminClient {
    private let http: HTTPConnection

    init(_ configuration: ClientConfiguration) throws(ClientError) {
        http = try HTTPConnection(configuration)
    }

    func close() async { await http.close() }

    /// One object, as it was written.
    func object(_ method: String = "GET", _ path: String) async throws -> [UInt8] {
        let answer = try await http.send(method, "/admin" + path)
        guard answer.status == 200 else { throw CLIError(answer, path) }
        return answer.body.last == UInt8(ascii: "\n") ? answer.body.dropLast() : answer.body
    }

    /// All elements of a list, part by part.
    func elements(
        of list: String, _ path: String, _ query: [String] = [], each: ([[UInt8]]) throws -> Void
    ) async throws {
        var start: Int64? = 0
        while let place = start {
            let parameters = query + ["start=\(place)", "limit=1000"]
            let page = JSONText(try await object("GET", path + "?" + parameters.joined(separator: "&")))
            try each(JSONText(page.raw(list) ?? []).elements)
            start = page.integer("next")
        }
    }

    /// A value in a query.
    static func escaped(_ text: String) -> String {
        HTTPConnection.path(of: text).dropFirst("/channels".count).description
    }
}

/// Objects of one kind, printed: each on a line as JSON, or for people as a table.
struct ObjectPrinter {
    /// A column of the table: its title, the member that it shows, and whether it holds numbers.
    struct Column {
        let title: String
        let member: String
        var isNumber = false
    }

    let columns: [Column]
    /// Whether a person looks.
    var isTable = Console.outputIsTerminal
    private var rows: [[String]] = []

    init(_ columns: [Column]) {
        self.columns = columns
    }

    /// Prints the objects, or keeps them for the table, whose columns are as wide as they have to be.
    mutating func add(_ objects: [[UInt8]]) throws(CLIError) {
        guard isTable else { return try Console.write(objects.flatMap { $0 + [UInt8(ascii: "\n")] }) }
        rows += objects.map { object in
            let text = JSONText(object)
            return columns.map { column in
                let cell = text.member(column.member) ?? text.raw(column.member).map(Self.cell) ?? ""
                return Console.harmless(onOneLine: cell)
            }
        }
    }

    /// A value that is no string; a table shows nothing where there is none.
    private static func cell(_ raw: [UInt8]) -> String {
        let text = String(decoding: raw, as: UTF8.self)
        return text == "null" ? "-" : text
    }

    /// Prints the table.
    func finish() throws(CLIError) {
        guard isTable, !rows.isEmpty else { return }
        let widths = columns.indices.map { index in
            max(columns[index].title.count, rows.map { $0[index].count }.max() ?? 0)
        }
        var output = ""
        for row in [columns.map(\.title)] + rows {
            let cells = columns.indices.map { index -> String in
                let space = String(repeating: " ", count: widths[index] - row[index].count)
                return columns[index].isNumber ? space + row[index] : row[index] + space
            }
            output += cells.joined(separator: "  ").trimmedEnd + "\n"
        }
        try Console.write(Array(output.utf8))
    }
}

extension String {
    /// Without the blanks at its end.
    fileprivate var trimmedEnd: Substring {
        self[..<(lastIndex { $0 != " " }.map(index(after:)) ?? startIndex)]
    }
}
