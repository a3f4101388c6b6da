/// A recorded connection: what went in, line by line, and what came of it (docs/captures.md).
struct Capture {
    /// A line that something is done for.
    enum Input: Equatable {
        case role(Role)
        case option(name: String, value: String)
        case peer([UInt8])
        case call(Call)
        case end
        case time(UInt64)
    }

    enum Role: Equatable {
        case server
        case client(url: String)
    }

    /// What the owner asks for.
    enum Call: Equatable {
        case start
        case text(String)
        case binary([UInt8])
        case ping([UInt8])
        case pong([UInt8])
        case close(UInt16, String)
        case header(String, String)
        case refuse(Int, String)
    }

    /// A line of the file.
    enum Line: Equatable {
        case input(Input)
        /// What is expected to come of the input before: output or an event, as it stands in the file.
        case expectation(String)
        /// A comment, an empty line, or the file's first one.
        case other
    }

    static let header = "fanfare-capture 1"

    /// The lines as they were read, and what they mean.
    let lines: [(text: String, line: Line)]

    /// Reads a file's text.
    init(_ text: String) throws(CaptureError) {
        var lines: [(String, Line)] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if index == 0, line != Self.header { throw CaptureError(1, "the first line is not \"\(Self.header)\"") }
            do throws(LineError) {
                lines.append((String(line), index == 0 ? .other : try CaptureParser.line(String(line))))
            } catch {
                throw CaptureError(index + 1, error.description)
            }
        }
        if lines.last?.0 == "" { lines.removeLast() }
        self.lines = lines
    }
}

/// What is wrong with a file, and where.
struct CaptureError: Error, CustomStringConvertible {
    let line: Int
    let problem: String

    init(_ line: Int, _ problem: String) {
        self.line = line
        self.problem = problem
    }

    var description: String { "line \(line): \(problem)" }
}

/// What is wrong with a line.
struct LineError: Error, CustomStringConvertible {
    let description: String
}
