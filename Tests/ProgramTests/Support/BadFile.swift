import Testing

/// A configuration file with mistakes, and what is said of each of them.
struct BadFile: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let text: String
    /// After the file's name.
    let problems: [String]

    /// `broker-server` says all of it, and nothing else, when it is given the file behind `command`.
    func check(_ command: [String]) async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(text, to: "bad.yaml")
        let ending = try await Program("broker-server", command + [path]).end()
        let problems = problems.map { path + $0.replacing("FILE", with: path) + "\n" }.joined()
        #expect(ending == Ending(status: 78, output: "", errors: "broker-server: " + problems))
    }
}
