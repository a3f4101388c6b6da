import Foundation
import Testing

/// docs/limits.md: each row names an option that there is, or says that there is none, and tests that there are.
@Suite("The page of limits", .timeLimit(.minutes(10)))
struct LimitsPageTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private struct Row {
        let cells: [String]

        /// What stands between backticks in a cell.
        func code(_ cell: Int) -> [String] {
            cells[cell].split(separator: "`", omittingEmptySubsequences: false).enumerated()
                .filter { !$0.offset.isMultiple(of: 2) }.map { String($0.element) }
        }
    }

    private static func rows() throws -> [Row] {
        try String(contentsOf: root.appending(path: "docs/limits.md"), encoding: .utf8).split(separator: "\n")
            .filter { $0.hasPrefix("| ") && !$0.hasPrefix("| what |") }
            .map { line in
                Row(
                    cells: line.dropFirst().dropLast().split(separator: "|").map {
                        $0.trimmingCharacters(in: .whitespaces)
                    })
            }
    }

    @Test
    func optionsExistAndAllLimitsAreThere() async throws {
        let reference = try String(contentsOf: Self.root.appending(path: "docs/configuration.md"), encoding: .utf8)
        let rows = try Self.rows()
        #expect(rows.count > 30)
        var named: Set<String> = []
        for row in rows {
            #expect(row.cells.count == 6, "\(row.cells)")
            if row.cells[1] == "fixed" { continue }
            let option = try #require(row.code(1).first, "\(row.cells)")
            named.insert(option)
            #expect(reference.contains("`\(option)`"), "there is no key \(option)")
        }
        let ending = try await Program.run("broker-server", "print-config", "--defaults")
        var group = ""
        for line in ending.output.split(separator: "\n") {
            let key = line.prefix { $0 != ":" }
            if line.contains(":"), !line.hasPrefix(" "), !line.hasPrefix("#") { group = String(key) }
            guard ["limits", "rates", "timeouts"].contains(group), line.hasPrefix("  "), !line.contains("#  "),
                line.contains(":"), !key.contains("#")
            else { continue }
            let name = "\(group).\(key.trimmingCharacters(in: .whitespaces))"
            #expect(named.contains(name), "\(name) is missing in docs/limits.md")
        }
    }

    /// A test is named by its type, or by type and function; one in Python by file and function.
    @Test
    func testsExist() throws {
        let folder = Self.root.appending(path: "Tests")
        let files =
            FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)?
            .compactMap { $0 as? URL } ?? []
        let sources = try files.filter { $0.pathExtension == "swift" }.map {
            try String(contentsOf: $0, encoding: .utf8)
        }
        for row in try Self.rows() {
            let tests = row.code(5)
            #expect(!tests.isEmpty, "\(row.cells[0]) has no test")
            for test in tests {
                if let separator = test.firstRange(of: "::") {
                    let name = String(test[..<separator.lowerBound])
                    let file = try #require(files.first { $0.lastPathComponent == name }, "there is no \(test)")
                    let source = try String(contentsOf: file, encoding: .utf8)
                    #expect(source.contains("def \(test[separator.upperBound...])("), "there is no \(test)")
                    continue
                }
                let parts = test.split(separator: ".")
                let suites = sources.filter {
                    $0.contains("struct \(parts[0]) {") || $0.contains("struct \(parts[0]):")
                }
                #expect(!suites.isEmpty, "there is no \(test)")
                if parts.count == 2 {
                    #expect(suites.contains { $0.contains("func \(parts[1])(") }, "there is no \(test)")
                }
            }
        }
    }
}
