import BrokerCore
import Foundation
import Logging
import Testing

@testable import BrokerFront

/// The list of revoked tokens: what is acknowledged is in its file, and nothing else is. (A full disk: test_full_disk.py.)
struct RevocationTests {
    @Test
    func outlivesTheProcess() throws {
        let folder = try TokenTests.Folder()
        let path = folder.url.appending(path: "revoked").path
        let list = try RevocationList(path: path)
        _ = try list.add("token abc", wall: 1)
        _ = try list.add("subject Alice B.", wall: 1_000)
        for bad in ["", "token", "token ", "subject a\nb", "user x"] {
            #expect(throws: RevocationError.self) { try list.add(bad, wall: 1) }
        }
        // A token may be of a clock that is five seconds ahead.
        #expect(try RevocationList(path: path).entries == [.token("abc"), .subject("Alice B.", issuedUpTo: 6_000)])
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    /// What a killed process leaves does not count at a start or a reload, and nothing is glued to it.
    @Test(arguments: ["subject 12", "token ab", "t"])
    func lineWithoutAnEnd(torn: String) throws {
        let folder = try TokenTests.Folder()
        let path = try folder.write("token abc\n" + torn, to: "revoked")
        let list = try RevocationList(path: path)
        #expect(list.entries == [.token("abc")])
        #expect(try list.read() == [.token("abc")])
        _ = try list.add("token def", wall: 1)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "token abc\ntoken def\n")
        #expect(try RevocationList(path: path).entries == [.token("abc"), .token("def")])
    }

    /// An editor may end lines with CRLF, and the broker adds lines that end with LF.
    @Test
    func linesOfAnEditor() throws {
        let folder = try TokenTests.Folder()
        let path = try folder.write("token abc\r\n\r\nsubject 12 Alice B.\r\ntoken to", to: "revoked")
        let list = try RevocationList(path: path)
        let edited: [Revocations.Entry] = [.token("abc"), .subject("Alice B.", issuedUpTo: 12)]
        #expect(list.entries == edited)
        _ = try list.add("token def", wall: 1)
        #expect(try RevocationList(path: path).entries == edited + [.token("def")])
        let bad = try folder.write("token abc\r\nsubject 12\r\n", to: "bad")
        let error = #expect(throws: RevocationError.self) { try RevocationList(path: bad) }
        #expect(error?.description == "\(bad):2: neither \"token ID\" nor \"subject TIME NAME\"")
    }

    /// One that comes while a reload has read the file and not applied it yet counts all the same.
    @Test
    func addedDuringAReload() throws {
        let folder = try TokenTests.Folder()
        let list = try RevocationList(path: try folder.write("token abc\n", to: "revoked"))
        let read = try list.read()
        _ = try list.add("token def", wall: 1)
        list.adopt(read)
        #expect(list.entries == [.token("abc"), .token("def")])
        // The next one reads both.
        #expect(!list.adopt(try list.read()))
    }

    /// As long as the broker does not have its database, `broker-server revoke` writes to the file itself.
    @Test
    func addedWhileTheBrokerStarts() async throws {
        let folder = try TokenTests.Folder()
        let path = try folder.write("token abc\n", to: "revoked")
        let list = try RevocationList(path: path)
        _ = try RevocationList(path: path).add("token def", wall: 1)
        var configuration = BrokerConfiguration()
        configuration.port = 0
        let server = BrokerServer(
            configuration: configuration, store: MemoryStore(epoch: "epoch"),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, revocations: list)
        _ = try await server.start()
        #expect(list.entries == [.token("abc"), .token("def")])
        try await server.stop()
    }

    @Test
    func badLineIsAnError() throws {
        let folder = try TokenTests.Folder()
        let path = try folder.write("token abc\nsubject 12\n", to: "revoked")
        let error = #expect(throws: RevocationError.self) { try RevocationList(path: path) }
        #expect(error?.description == "\(path):2: neither \"token ID\" nor \"subject TIME NAME\"")
    }
}
