// driver-replay FILE…           plays captures and prints them with what really came of their inputs
// driver-replay --check FILE…   says where that is not what the file expects
// driver-replay --split FILE…   says where it depends on how the peer's bytes are cut
// driver-replay -               answers each line from standard input at once, and then an empty line
//
// The format is described in docs/captures.md. Exits with 1 after a difference, with 65 when a file cannot be read.

import Foundation

func fail(_ message: String, _ status: Int32) -> Never {
    FileHandle.standardError.write(Data("driver-replay: \(message)\n".utf8))
    exit(status)
}

func stream() {
    let player = Player()
    var number = 0
    while let line = readLine() {
        number += 1
        var results: [String] = []
        do throws(LineError) {
            if case .input(let input) = try CaptureParser.line(line) { results = try player.play(input) }
        } catch {
            fail("line \(number): \(error)", 65)
        }
        // At once, whatever standard output is.
        FileHandle.standardOutput.write(Data((results + ["", ""]).joined(separator: "\n").utf8))
    }
}

func replay(_ path: String, _ mode: String?) -> Bool {
    do {
        let capture = try Capture(String(contentsOfFile: path, encoding: .utf8))
        switch mode {
        case "--check":
            guard let difference = try Replay.difference(capture) else { return true }
            print("\(path): \(difference)")
            return false
        case "--split":
            guard let difference = try Replay.splitDifference(capture) else { return true }
            print("\(path): \(difference)")
            return false
        default:
            print(try Replay.record(capture).joined(separator: "\n"))
            return true
        }
    } catch {
        fail("\(path): \(error)", 65)
    }
}

var arguments = CommandLine.arguments.dropFirst()
let mode = arguments.first.flatMap { $0.hasPrefix("--") ? $0 : nil }
if mode != nil { arguments = arguments.dropFirst() }
guard !arguments.isEmpty, mode == nil || mode == "--check" || mode == "--split" else {
    fail("usage: driver-replay [--check | --split] FILE… | -", 64)
}
if Array(arguments) == ["-"] {
    stream()
} else {
    var isGood = true
    for path in arguments where !replay(path, mode) { isGood = false }
    exit(isGood ? 0 : 1)
}
