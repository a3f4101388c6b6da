import Foundation
import Testing

@testable import driver_replay

/// The kept captures, and files that are none.
@Suite struct CaptureTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Captures")
    static let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()

    @Test func `there are captures of every version`() {
        for version in ["hixie-75", "hixie-76", "hybi-07", "hybi-08", "hybi-13"] {
            #expect(Self.names.contains(version + ".capture"))
        }
    }

    @Test(arguments: names) func `brings what it says, and byte by byte the same`(name: String) throws {
        let capture = try Capture(String(contentsOf: Self.folder.appending(path: name), encoding: .utf8))
        #expect(try Replay.difference(capture) == nil)
        #expect(try Replay.splitDifference(capture) == nil)
    }

    @Test func `a difference names its line`() throws {
        let text = try String(contentsOf: Self.folder.appending(path: "violation.capture"), encoding: .utf8)
        let difference = try Replay.difference(Capture(text.replacing("* text \"good\"", with: "* text \"better\"")))
        #expect(difference?.description.contains("expected * text \"better\", got * text \"good\"") == true)
        let shorter = text.split(separator: "\n").filter { !$0.hasPrefix("* closed") }.joined(separator: "\n")
        #expect(try Replay.difference(Capture(shorter)) != nil)
    }

    struct BadRow: Sendable {
        var text: String
        var problem: String
    }

    static let bad = [
        BadRow(text: "", problem: "line 1: the first line is not \"fanfare-capture 1\""),
        BadRow(text: "fanfare-capture 1\nrole", problem: "line 2: server or client is missing"),
        BadRow(text: "fanfare-capture 1\nrole proxy", problem: "line 2: a role is server or client URL"),
        BadRow(text: "fanfare-capture 1\n\n?", problem: "line 3: \"?\" is no keyword"),
        BadRow(text: "fanfare-capture 1\n< 0", problem: "line 2: an odd number of hexadecimal digits"),
        BadRow(text: "fanfare-capture 1\n< 0g", problem: "line 2: two hexadecimal digits are expected"),
        BadRow(text: "fanfare-capture 1\n< \"a", problem: "line 2: the quotes are not closed"),
        BadRow(text: "fanfare-capture 1\n< \"\\q\"", problem: "line 2: an escape is one of \\r \\n \\\" \\\\ \\xHH"),
        BadRow(text: "fanfare-capture 1\n! shout", problem: "line 2: \"shout\" is no call"),
        BadRow(text: "fanfare-capture 1\n! text \"\\xFF\"", problem: "line 2: the text is not UTF-8"),
        BadRow(text: "fanfare-capture 1\n! close x", problem: "line 2: close takes a number"),
        BadRow(text: "fanfare-capture 1\nend now", problem: "line 2: there is more than end takes"),
        BadRow(text: "fanfare-capture 1\nend", problem: "line 2: the role is missing"),
        BadRow(
            text: "fanfare-capture 1\nrole client http://a\n! start",
            problem: "line 3: http://a is not a valid WebSocket URL"),
        BadRow(
            text: "fanfare-capture 1\nrole server\noption x 1", problem: "line 3: no such option, or a bad value: x 1"),
        BadRow(
            text: "fanfare-capture 1\nrole server\nend\noption seed 1",
            problem: "line 4: options come before everything else"),
    ]

    @Test(arguments: bad) func `a file that is none`(row: BadRow) {
        let error = #expect(throws: CaptureError.self) { _ = try Replay.record(Capture(row.text)) }
        #expect(error?.description == row.problem)
    }
}
